"""What is worth saying about a question in words before its answer is trusted."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle

_SPECIAL_TOKENS = 2  # start and end


def remarks(bundle: Bundle, text: str) -> Iterator[str]:
    """At most one line on each: it names a file, has unknown words, is longer than is read."""
    if _is_file(text):
        yield f"{text} is a file; what looks like it: c2v search --video {shlex.quote(text)}"
    if text.isascii() and len(text) + _SPECIAL_TOKENS <= bundle.config.text.context:
        return  # nothing in it can be unknown or too much, and no tokenizer need be loaded
    if unknown := [word for word in text.split() if _is_unknown(bundle, word)]:
        words = ", ".join(dict.fromkeys(unknown))
        yield f"{bundle.name} does not know: {words}"
    tokens, context = bundle.tokenizer.length(text), bundle.config.text.context
    if tokens > context:
        yield (
            f"{bundle.name} reads {context} tokens of a text, this one has {tokens}: "
            "the end of it was not read"
        )


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # no name of a file, however long it is
        return False


def _is_unknown(bundle: Bundle, word: str) -> bool:
    """Whether little but single characters, or bytes, is left of a word of another script.

    Words in Latin letters are known at least by their parts; a name is nothing to complain of.
    """
    odd = [char for char in word if not char.isascii() and not _is_latin(char)]
    if not odd:
        return False
    ids, mask = bundle.tokenizer.encode(["".join(odd)])
    if bundle.tokenizer.unknown_id is not None and bundle.tokenizer.unknown_id in ids[mask]:
        return True
    if bundle.config.text.tokenizer == "json":
        return False  # made for many languages: a single character may well be a word of one
    return 2 * (int(mask.sum()) - _SPECIAL_TOKENS) >= len(odd)


def _is_latin(char: str) -> bool:
    """A Latin letter with or without marks, a mark, or punctuation."""
    kind = unicodedata.category(char)
    return kind[0] in "MPZ" or unicodedata.name(char, "").startswith("LATIN ")
