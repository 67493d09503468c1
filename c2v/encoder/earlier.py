"""Text sides of encoders that an earlier c2v shipped, so that libraries they filled still answer.

A shipped encoder that gets better makes other vectors. What its earlier version filled is searched
with that version's text side, which differs from the present one in a few small matrices: they
stand in ``earlier/FINGERPRINT`` of the bundle, with the ``config.json`` of then. Indexing it goes
on as long as no picture has to be encoded. New videos need the present version, and so all of the
library (``c2v index --rebuild``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from c2v.encoder.bundle import Bundle
from c2v.encoder.bundle_config import CONFIG_NAME, read_config
from c2v.encoder.made_once import made_once
from c2v.encoder.tensors import read_tensors
from c2v.encoder.towers.minilm_numpy import TENSORS_NAME, MiniLMTextTower
from c2v.errors import ModelError

if TYPE_CHECKING:
    from c2v.encoder.text.tokenizer import TextTokenizer
    from c2v.encoder.towers import ImageTower

EARLIER_NAME: Final = "earlier"
_REPLACED = ("projection.", "blend.")


class EarlierBundle(Bundle):
    """Embeds texts as an earlier version did, and nothing else."""

    def __init__(self, present: Bundle, directory: Path) -> None:
        super().__init__(directory, read_config(directory), device="cpu")
        self.present = present

    @property
    def chosen_directory(self) -> Path:
        """The present version's folder: that is what its name leads to."""
        return self.present.directory

    @made_once
    def tokenizer(self) -> TextTokenizer:
        """The tokenizer, which is the present one's."""
        return self.present.tokenizer

    @made_once
    def text_tower(self) -> MiniLMTextTower:
        """The present transformer with the projection of then."""
        shared = {
            name: tensor
            for name, tensor in read_tensors(self.present.directory / TENSORS_NAME).items()
            if not name.startswith(_REPLACED)
        }
        return MiniLMTextTower({**shared, **read_tensors(self.directory / TENSORS_NAME)})

    @made_once
    def image_tower(self) -> ImageTower:
        """There is none.

        Raises:
            ModelError: always.
        """
        raise ModelError(
            f"the library was filled by an earlier {self.name}, whose text side alone is here: it "
            "can be searched with words, but no new picture can be read for it",
            hint=f"c2v index --model {self.name} --rebuild PATH reads its videos again",
        )


def earlier_version(present: Bundle, fingerprint: str) -> EarlierBundle | None:
    """The version of ``present`` with that fingerprint, if its text side came with it."""
    directory = present.directory / EARLIER_NAME / fingerprint
    if not (directory / CONFIG_NAME).is_file():
        return None
    return EarlierBundle(present, directory)
