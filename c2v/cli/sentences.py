"""``c2v "a dog"``: words where a command should stand are a search, unless a command is near.

A misspelt command is never taken for a question: where the first word is like the name of a
command, or is what other programs call one, it is refused with the nearest one. Nor is a path, or
what nobody types as a word. A single word that is searched is said to be.
"""

import os
import sys
from collections.abc import Sequence

from c2v.nearest import nearest

_COMMANDS_ELSEWHERE = frozenset(
    ("help", "list", "ls", "rm", "delete", "add", "scan", "find", "update", "upgrade", "version")
    + ("info", "show", "get", "set", "run", "init", "install", "start", "stop", "sync", "test")
    + ("web", "ui", "export", "import", "new")
)
_LONGEST_WORD = 60


def is_sentence(arguments: Sequence[str], commands: Sequence[str]) -> bool:
    """Whether ``arguments``, of which the first is no command, are words to look for.

    >>> [is_sentence([text], ["search", "index"]) for text in ("a dog", "dog", "serach", "help")]
    [True, True, False, False]
    """
    words = arguments[0].split()
    if not words or arguments[0].startswith("-") or not _is_typed_as_words(arguments[0]):
        return False
    first = words[0].lower()
    if first in _COMMANDS_ELSEWHERE and len(words) == len(arguments) == 1:
        return False
    return not nearest(first, commands)


def _is_typed_as_words(text: str) -> bool:
    """Whether it is no path and has no word that is no text.

    >>> [_is_typed_as_words(text) for text in ("a dog", "~/Videos", "clips/", "a\\0b", "x" * 99)]
    [True, False, False, False, False]
    """
    is_path = text.startswith("~") or os.sep in text
    return text.isprintable() and not is_path and max(map(len, text.split())) <= _LONGEST_WORD


def say_so(arguments: Sequence[str], *, quiet: bool) -> None:
    """Of a single word one line says that it is searched: it may have been meant as a command."""
    if len(arguments[0].split()) == 1 and not quiet:
        word = (
            arguments[0].encode(sys.stderr.encoding, "backslashreplace").decode(sys.stderr.encoding)
        )
        sys.stderr.write(f"searching for {word!r}; the commands are in c2v --help\n")
