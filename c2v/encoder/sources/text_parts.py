"""What a text tower takes beside its weights: a tokenizer, and a config of transformers.

open_clip's config names the repositories they are in, which are others than that of the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from c2v.encoder.architecture import needs_tokenizer, no_tokenizer
from c2v.encoder.hf_configs import KNOWN_HF_CONFIGS
from c2v.encoder.text.foreign_tokenizer import ForeignTokenizer, find_tokenizer
from c2v.encoder.text.json_tokenizer import read_json
from c2v.errors import ModelError
from c2v.optional import require

Find = Callable[[str, str], Path | None]
"""Repository and name of a file to where it lies here; None where it is not."""

CONFIG_FILE: Final = "config.json"


def check_text_parts(model: Mapping[str, Any], *, wish: str) -> None:
    """Say before anything is fetched that a part of c2v is missing.

    Raises:
        MissingPartError: the model's tokenizer takes the library ``tokenizers``.
    """
    if needs_tokenizer(model):
        require(wish, "tokenizers")


def with_text_parts(
    model: Mapping[str, Any], find: Find, *, repository: str, wish: str
) -> tuple[dict[str, Any], ForeignTokenizer | None]:
    """A model config with the config of its encoder in it, and its tokenizer.

    Args:
        model: open_clip's config.
        find: gives the files.
        repository: that of the weights, asked for a tokenizer where the one that the config names
            is not to be had.
        wish: what the tokenizer is needed for, in an error.

    Raises:
        ModelError: a file is not there, or damaged.
        MissingPartError: the library ``tokenizers`` is not installed.
    """
    text = dict(model["text_cfg"])
    encoder = text.get("hf_model_name")
    if encoder and not text.get("hf_config") and encoder not in KNOWN_HF_CONFIGS:
        text["hf_config"] = _encoder_config(encoder, find)
    check_text_parts(model, wish=wish)
    tokenizer = None
    if needs_tokenizer(model):
        named = text["hf_tokenizer_name"]
        for place in dict.fromkeys((named, repository)):
            tokenizer = tokenizer or find_tokenizer(partial(find, place))
        if tokenizer is None:
            raise no_tokenizer(wish, named)
    return {**model, "text_cfg": text}, tokenizer


def _encoder_config(name: str, find: Find) -> dict[str, Any]:
    path = find(name, CONFIG_FILE)
    if path is None:
        raise ModelError(
            f"its text tower is {name} of transformers, and no {CONFIG_FILE} of it is to be had",
            hint=f"put that file of https://huggingface.co/{name} beside the weights",
        )
    return read_json(path)
