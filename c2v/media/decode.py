"""Which decoder gives the pictures of a video."""

from __future__ import annotations

from typing import get_args

from c2v.config import DecoderName
from c2v.errors import UsageError
from c2v.media.containers import MOST_MEGAPIXELS
from c2v.media.frames import Decoder
from c2v.media.pyav_decoder import PyAVDecoder
from c2v.media.sampling import Exactness
from c2v.optional import has, require


def decoder_names_available() -> tuple[DecoderName, ...]:
    """The names `choose_decoder` accepts on this machine."""
    return tuple(name for name in get_args(DecoderName) if name != "decord" or has("decord"))


def choose_decoder(
    name: DecoderName, *, exactness: Exactness = "exact", max_megapixels: float = MOST_MEGAPIXELS
) -> Decoder:
    """The decoder for a video.

    `auto` is PyAV for every file: it is right for all of them, and since it decodes only the
    wanted pictures decord is no longer faster once its process is counted (figures: see
    decord_decoder).

    Raises:
        MissingPartError: decord is asked for and not installed.
        UsageError: decord is asked for with `fast`.
    """
    if name == "decord":
        require("--decoder decord", "decord")
        if exactness == "fast":
            raise UsageError(
                "the decoder decord only does exact sampling", hint="use --decoder pyav"
            )
        from c2v.media.decord_decoder import DecordDecoder

        return DecordDecoder()
    return PyAVDecoder(exactness=exactness, max_megapixels=max_megapixels)
