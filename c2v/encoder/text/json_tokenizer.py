"""The tokenizers of SigLIP, CLIPA, XLM-RoBERTa, NLLB and others: a ``tokenizer.json``.

What precedes the vocabulary (normal forms, the division into words) is left to the ``tokenizers``
library, which is asked with an empty one: its own takes seconds to load. Subwords come from tables
beside the file where its model has such, and a text in which a token of its own is spelled out
(``</s>``) from the library with all of the file. The ids are the same either way.

Source of cleaning, cut and padding: open_clip's HFTokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig
from c2v.encoder.made_once import made_once
from c2v.encoder.tensors import read_tensors
from c2v.encoder.text.cleaning import CLEANERS
from c2v.encoder.text.piece_tables import make_tables, subwords
from c2v.encoder.text.rows import id_rows
from c2v.errors import ModelError
from c2v.files.reading import parse_json, read_plain

if TYPE_CHECKING:
    from tokenizers import Tokenizer

JSON_NAME = "tokenizer.json"
STEPS_NAME = "tokenizer_steps.json"
PIECES_NAME = "tokenizer.safetensors"

_LONGEST_TEXT = 1 << 16  # characters looked at: many times what any context keeps
_EMPTY_MODEL = {"type": "WordLevel", "vocab": {}, "unk_token": ""}


class JsonTokenizer:
    """Texts to ids: start, pieces cut to the context, end, padding to exactly the context."""

    def __init__(
        self,
        path: Path,
        config: TextConfig,
        *,
        steps: Mapping[str, Any] | None = None,
        tables: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """``path``: the whole file; ``steps`` and ``tables``: :func:`quick_parts` of it, if any."""
        self._path = path
        self._config = config
        self._clean = CLEANERS[config.clean]
        self._literals = list(steps["literals"]) if steps else []
        self._steps = steps
        self._subwords = subwords(tables) if tables and steps else None

    @classmethod
    def load(cls, directory: Path, config: TextConfig) -> JsonTokenizer:
        """The tokenizer of the bundle in ``directory``.

        Raises:
            ModelError: a file of it is absent or damaged.
        """
        if not (directory / PIECES_NAME).exists():
            return cls(directory / JSON_NAME, config)
        steps = read_json(directory / STEPS_NAME)
        return cls(
            directory / JSON_NAME, config, steps=steps, tables=read_tensors(directory / PIECES_NAME)
        )

    @made_once
    def _whole(self) -> Tokenizer:
        """The library's tokenizer with the whole vocabulary: seconds for the large ones."""
        return library_tokenizer(self._path)

    @made_once
    def _empty(self) -> Tokenizer:
        """The library's tokenizer up to the words."""
        from tokenizers import Tokenizer

        assert self._steps is not None
        content = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": self._steps["normalizer"],
            "pre_tokenizer": self._steps["pre_tokenizer"],
            "post_processor": None,
            "decoder": None,
            "model": _EMPTY_MODEL,
        }
        return Tokenizer.from_str(json.dumps(content))

    @made_once
    def _replaced(self) -> dict[int, int]:
        """Ids of the file to those that stand in their place."""
        whole = self._whole.token_to_id
        found = {whole(literal): index for literal, index in self._config.specials.items()}
        return {old: new for old, new in found.items() if old is not None}

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids [N, context], padded, and mask [N, context], True from start to end token."""
        return id_rows((self.pieces(text) for text in texts), self._config)

    def length(self, text: str) -> int:
        """How many tokens a text has before it is cut, start and end included."""
        start = 0 if self._config.start_id is None else 1
        return start + len(self.pieces(text)) + 1

    @made_once
    def unknown_id(self) -> int | None:
        """The id of what has no pieces; None where there are bytes for all."""
        if self._steps is not None:
            found: int | None = self._steps["unknown"]
            return found
        return unknown_id(read_json(self._path)["model"])

    def pieces(self, text: str) -> list[int]:
        """Ids of one text, cleaned here, without start and end."""
        text = self._clean(text[:_LONGEST_TEXT])
        if not text.isascii():  # half a character, as a shell may give one, is none
            text = text.encode("utf-8", "replace").decode("utf-8")
        quick = self._quick(text)
        if quick is not None:
            return quick
        found: list[int] = self._whole.encode(text, add_special_tokens=False).ids
        if self._config.specials:
            found = [self._replaced.get(piece, piece) for piece in found]
        # Tokens that were added for another purpose may have no row in the table of the tower.
        rows = self._config.settings.get("vocab_size", 1 << 31)
        return [piece for piece in found if piece < rows]

    def _quick(self, text: str) -> list[int] | None:
        """By the tables; None where the text spells out a token of the tokenizer's own."""
        if self._subwords is None or self._spelled(text):
            return None
        steps = self._empty
        if steps.normalizer is not None:
            text = steps.normalizer.normalize_str(text)
            if self._spelled(text):
                return None
        words = [text]
        if steps.pre_tokenizer is not None:
            words = [word for word, _ in steps.pre_tokenizer.pre_tokenize_str(text)]
        return [piece for word in words for piece in self._subwords.ids(word)]

    def _spelled(self, text: str) -> bool:
        return any(literal in text for literal in self._literals)


def library_tokenizer(path: Path) -> Tokenizer:
    """The library's tokenizer of a file, without the cut and the padding that it may ask for.

    Raises:
        ModelError: the file is absent or damaged.
    """
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_str(read_plain(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error
    except OSError as error:
        raise _unreadable(path, error.strerror or error) from error
    except Exception as error:  # the library's errors have no class of their own
        raise _unreadable(path, error) from error
    made.no_truncation()
    made.no_padding()
    return made


def quick_parts(
    content: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """What spares the library its vocabulary: the steps before it, and tables of the pieces.

    None for a ``tokenizer.json`` whose model has no tables.
    """
    tables = make_tables(content["model"])
    if tables is None:
        return None
    steps = {
        "normalizer": content.get("normalizer"),
        "pre_tokenizer": content.get("pre_tokenizer"),
        "literals": [token["content"] for token in content.get("added_tokens") or ()],
        "unknown": unknown_id(content["model"]),
    }
    return steps, tables


def unknown_id(model: Mapping[str, Any]) -> int | None:
    """The id that the model of a ``tokenizer.json`` gives to what has no pieces."""
    if model.get("byte_fallback"):
        return None
    found = model.get("unk_id")
    if found is None and isinstance(model.get("vocab"), dict):
        found = model["vocab"].get(model.get("unk_token") or "")
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        ModelError: it is absent or damaged.
    """
    try:
        content = parse_json(read_plain(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or error) from error
    if not isinstance(content, dict):
        raise _unreadable(path, "it holds no object")
    return content


def _unreadable(path: Path, reason: object) -> ModelError:
    return ModelError(f"{path} cannot be read: {reason}", hint="c2v model list")
