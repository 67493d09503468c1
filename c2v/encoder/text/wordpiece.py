"""BERT's WordPiece tokenizer, from its plain vocabulary file.

Making a dictionary of thirty thousand lines takes a quarter of what it takes to import the
``tokenizers`` library and parse the same vocabulary as JSON. The ids are the same.

Source: Devlin et al. 2018 and its reference code (uncased: lower case, accents off, every
punctuation mark and every CJK character a word of its own; then the longest piece that matches).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from c2v.encoder.bundle_config import TextConfig
from c2v.errors import ModelError
from c2v.files.reading import read_plain

VOCABULARY_NAME = "vocab.txt"
_UNKNOWN = "[UNK]"
_INSIDE = "##"  # in front of a piece that does not begin a word
_LONGEST_WORD = 100  # characters; a longer one is unknown
_LONGEST_TEXT = 4096  # characters looked at: many times what any context keeps

# Blocks of Chinese, Japanese and Korean characters that are written without spaces.
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPieceTokenizer:
    """Texts to ids: start, pieces cut to the context, end, padding."""

    def __init__(self, vocabulary: Sequence[str], config: TextConfig) -> None:
        """``vocabulary``: the pieces in the order of their ids.

        Raises:
            ModelError: it does not know the word for unknown words.
        """
        self._ids = {piece: index for index, piece in enumerate(vocabulary)}
        if _UNKNOWN not in self._ids:
            raise ModelError(f"the vocabulary has no {_UNKNOWN}", hint="c2v model list")
        self._config = config

    @classmethod
    def load(cls, directory: Path, config: TextConfig) -> WordPieceTokenizer:
        """The tokenizer of the bundle in ``directory``.

        Raises:
            ModelError: the vocabulary is absent or damaged.
        """
        path = directory / VOCABULARY_NAME
        try:
            vocabulary = read_plain(path).decode("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise ModelError(
                f"{path} cannot be read: it is not UTF-8 text", hint="c2v model list"
            ) from error
        except OSError as error:
            raise ModelError(
                f"{path} cannot be read: {error.strerror or error}", hint="c2v model list"
            ) from error
        return cls(vocabulary, config)

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Ids [N, L], padded, and mask [N, L], True from start to end; L is the longest text's."""
        config = self._config
        start = [] if config.start_id is None else [config.start_id]
        rows = [
            [*start, *self.pieces(text)][: config.context - 1] + [config.end_id] for text in texts
        ]
        lengths = np.array([len(row) for row in rows], np.int64)
        mask = np.arange(lengths.max(initial=0)) < lengths[:, None]  # [N, L]
        ids = np.full(mask.shape, config.pad_id, np.int64)
        ids[mask] = [token for row in rows for token in row]
        return ids, mask

    def length(self, text: str) -> int:
        """How many tokens a text has before it is cut, start and end included."""
        start = 0 if self._config.start_id is None else 1
        return start + len(self.pieces(text)) + 1

    @property
    def unknown_id(self) -> int:
        """The id of words that have no pieces."""
        return self._ids[_UNKNOWN]

    def pieces(self, text: str) -> list[int]:
        """Ids of one text, without start and end.

        The pieces of "snowboarding" are "snow", "##board" and "##ing" unless the word is known.
        """
        found: list[int] = []
        for word in split_words(text[:_LONGEST_TEXT]):
            whole = self._ids.get(word)
            found += self._split(word) if whole is None else [whole]
        return found

    def _split(self, word: str) -> list[int]:
        """The longest piece that begins the word, again for the rest; all or nothing."""
        if len(word) > _LONGEST_WORD:
            return [self._ids[_UNKNOWN]]
        pieces, start = [], 0
        while start < len(word):
            inside = _INSIDE if start else ""
            for end in range(len(word), start, -1):
                piece = self._ids.get(inside + word[start:end])
                if piece is not None:
                    break
            else:
                return [self._ids[_UNKNOWN]]
            pieces.append(piece)
            start = end
        return pieces


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; punctuation and CJK characters stand alone.

    >>> split_words("A café, by the sea!")
    ['a', 'cafe', ',', 'by', 'the', 'sea', '!']
    """
    if not text.isascii():
        text = "".join(f" {char} " if _is_cjk(char) else char for char in text)
        decomposed = unicodedata.normalize("NFD", text)
        text = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    spaced = (
        f" {char} " if _is_punctuation(char) else char
        for char in text.lower()
        if not _is_control(char)
    )
    return "".join(spaced).split()


def _is_control(char: str) -> bool:
    if char in "\t\n\r":
        return False
    return char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co")


def _is_punctuation(char: str) -> bool:
    if char.isascii():
        return "!" <= char <= "~" and not char.isalnum()
    return unicodedata.category(char).startswith("P")


def _is_cjk(char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in _CJK)
