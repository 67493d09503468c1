"""What is odd about a captions file, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2v.evaluation.captions import Captions


def odd_rows(captions: Captions) -> Iterator[str]:
    """Sentences about rows of the captions file that are not used as they stand."""
    name = captions.file.name
    if captions.remark:
        yield captions.remark
    if captions.encoding:
        example = next((text for text in captions.texts if not text.isascii()), "")
        yield (
            f"{name} is not UTF-8 and was read as Windows-1252 ({example[:60]}); where that is "
            "wrong, save it as UTF-8"
        )
    if count := captions.duplicates:
        verb = "row is" if count == 1 else "rows are"
        yield f"{count} {verb} in {name} a second time and not counted again"
    if count := captions.incomplete:
        verb = "row lacks" if count == 1 else "rows lack"
        yield f"{count} {verb} a video or a caption in {name} and count for nothing"
