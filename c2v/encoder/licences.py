"""The licences of weights that can be fetched: what may be done with them, and where that stands.

Facts, as their publishers state them on the pages named here (read in 2025). c2v gives no advice on
them; it says them before a download, in ``c2v model list`` and ``info``, and notes them in the
bundle. Where a page was changed the stricter reading stands. What is not in the table is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

Use = Literal["any", "taught by research data", "not commercial", "research only", "unknown"]


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its name (SPDX's, or that of the hub's pages), what it is for, and its text."""

    name: str
    use: Use
    page: str

    def __str__(self) -> str:
        """As it is written in a bundle: ``MIT (https://...)``."""
        if self.use == "unknown":
            return f"unknown: see {self.page}"
        limit = "" if self.use == "any" else f", {_SHOWN[self.use]}"
        return f"{self.name}{limit} ({self.page})"

    def sentence(self, model: str) -> str:
        """What is said before the weights of ``model`` are fetched."""
        if self.use == "unknown":
            return f"licence of {model} unknown: see the page {self.page}"
        limit = {
            "any": "",
            "not commercial": ": not for commercial use",
            "research only": ": for research only, no product or service",
        }[self.use]
        return f"licence of {model}: {self.name}{limit} ({self.page})"


_SHOWN: Final[dict[Use, str]] = {
    "not commercial": "no commercial use",
    "research only": "research only",
}
_HUB: Final = "https://huggingface.co"

_NAMES: Final[dict[str, Use]] = {
    "MIT": "any",
    "Apache-2.0": "any",
    "CC-BY-NC-4.0": "not commercial",
    "apple-amlr": "research only",
}

_RESEARCH_DATA: Final = "given for research"
"""In the licence of a bundle whose weights are free and whose training data are not."""

_TABLE: Final = (
    # OpenAI's CLIP: code and weights, https://github.com/openai/CLIP.
    ("timm/*_clip_*.openai", "MIT", "https://github.com/openai/CLIP/blob/main/LICENSE"),
    ("timm/resnet*_clip.openai", "MIT", "https://github.com/openai/CLIP/blob/main/LICENSE"),
    # Meta's MetaCLIP, MetaCLIP 2 and their captions (Altogether).
    (
        "timm/*_clip_*.metaclip*",
        "CC-BY-NC-4.0",
        "https://github.com/facebookresearch/MetaCLIP/blob/main/LICENSE",
    ),
    # Meta's Perception Encoder: https://github.com/facebookresearch/perception_models.
    ("timm/PE-Core-*", "Apache-2.0", f"{_HUB}/facebook/PE-Core-B16-224"),
    # Google's SigLIP and SigLIP 2, as their cards say.
    ("timm/ViT-*-SigLIP*", "Apache-2.0", f"{_HUB}/{{repository}}"),
    # Apple's Machine Learning Research Model licence: MobileCLIP2 since it was published,
    # MobileCLIP and DFN since February 2025 (sample code licences before).
    (
        "timm/MobileCLIP2-*",
        "apple-amlr",
        "https://github.com/apple/ml-mobileclip/blob/main/LICENSE_MODELS",
    ),
    ("apple/MobileCLIP-*", "apple-amlr", f"{_HUB}/{{repository}}"),
    ("apple/DFN*", "apple-amlr", f"{_HUB}/{{repository}}"),
    # BAAI's EVA and EVA-02, trained by their own code.
    ("timm/eva*", "MIT", "https://github.com/baaivision/EVA/blob/master/LICENSE"),
    # LAION's and DataComp's models on LAION's pages; of LAION-400M, YFCC15M and CC12M those of
    # open_clip's releases.
    ("laion/*", "MIT", f"{_HUB}/{{repository}}"),
    ("timm/*.laion*", "MIT", "https://github.com/mlfoundations/open_clip/blob/main/LICENSE"),
    ("timm/*.yfcc15m", "MIT", "https://github.com/mlfoundations/open_clip/blob/main/LICENSE"),
    ("timm/*.cc12m", "MIT", "https://github.com/mlfoundations/open_clip/blob/main/LICENSE"),
    ("UCSC-VLAA/*CLIPA*", "Apache-2.0", f"{_HUB}/{{repository}}"),
    # Made of NLLB, which is not for commercial use either.
    ("visheratin/nllb*", "CC-BY-NC-4.0", f"{_HUB}/{{repository}}"),
    # Of ViTamin only these pages state one.
    ("jienengchen/ViTamin-L2-*", "MIT", f"{_HUB}/{{repository}}"),
    ("jienengchen/ViTamin-XL-*", "MIT", f"{_HUB}/{{repository}}"),
)
"""Repository of the hub (a pattern), name, page; the first that fits counts."""


def licence_of(repository: str) -> Licence:
    """The licence of the weights in a repository of the hub.

    >>> licence_of("apple/DFN5B-CLIP-ViT-H-14").use, licence_of("somebody/some-model").use
    ('research only', 'unknown')
    """
    for pattern, name, page in _TABLE:
        if fnmatchcase(repository, pattern):
            return Licence(name, _NAMES[name], page.format(repository=repository))
    return Licence("", "unknown", f"{_HUB}/{repository}")


def use_of(text: str) -> Use:
    """What the licence that a bundle notes is for, as far as that is known.

    >>> use_of("MIT (https://example.org)"), use_of("CC-BY-NC-4.0, no commercial use (...)")
    ('any', 'not commercial')
    """
    if _RESEARCH_DATA in text:
        return "taught by research data"
    return _NAMES.get(text.partition(" ")[0].rstrip(",;"), "unknown")
