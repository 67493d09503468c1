"""Shell patterns whose matching cannot run away: time grows with name times pattern, no faster.

A star takes as little as it can and never gives back, which for a pattern of stars and pieces of
fixed length finds a match whenever there is one; Python's ``re`` does the work, told not to
backtrack.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

LONGEST_PATTERN = 32_768
"""No system has paths longer than this."""

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r" \t\n\r\f\v",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


class PatternError(ValueError):
    """A pattern that means nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """One element of a pattern: literal text, ``?`` or a class (``regex``), or a star."""

    literal: str = ""
    regex: str = ""

    @property
    def is_star(self) -> bool:
        return not (self.literal or self.regex)


STAR, ANY = Token(), Token(regex=".")


_SPECIAL = re.compile(r"[*?\[\\]")


def parse(text: str, *, escapes: bool) -> list[Token]:
    """The tokens of a pattern with ``*``, ``?`` and ``[a-z]`` (``[!a-z]``, ``[^a-z]``).

    With ``escapes`` a backslash takes the meaning from what follows it. A file name may well have
    a lone ``[``: without ``escapes`` it stands for itself.

    Raises:
        PatternError: a bracket is never closed, a range goes backwards, and the like.
    """
    if len(text) > LONGEST_PATTERN:
        raise PatternError(f"it has {len(text):,} characters, more than any path")
    tokens: list[Token] = []
    place = 0
    while place < len(text):
        special = _SPECIAL.search(text, place)
        if special is None or special.start() > place:
            end = special.start() if special else len(text)
            tokens.append(Token(text[place:end]))
            place = end
            continue
        character = text[place]
        place += 1
        if character == "*":
            tokens.append(STAR)
        elif character == "?":
            tokens.append(ANY)
        elif character == "\\" and escapes:
            if place == len(text):
                raise PatternError("it ends in a backslash")
            tokens.append(Token(text[place]))
            place += 1
        elif character == "[" and (escapes or "]" in text[place + 1 :]):
            token, place = _bracket(text, place, escapes=escapes)
            tokens.append(token)
        else:
            tokens.append(Token(character))
    return tokens


def _bracket(text: str, place: int, *, escapes: bool) -> tuple[Token, int]:
    """The class that begins after the ``[`` before ``place``, and where the pattern goes on."""
    negated = text[place : place + 1] in ("!", "^")
    place += negated
    members: list[str] = []
    is_first = True
    while True:
        character = text[place : place + 1]
        if not character:
            raise PatternError("a [ is never closed")
        if character == "]" and not is_first:
            break
        is_first = False
        name = re.compile(r"\[:([^\]]*):\]").match(text, place) if character == "[" else None
        if name:
            if name[1] not in _CLASSES:
                raise PatternError(f"there is no class [:{name[1]}:]")
            members.append(_CLASSES[name[1]])
            place = name.end()
            continue
        low, place = _member(text, place, escapes=escapes)
        high = low
        if text[place : place + 1] == "-" and text[place + 1 : place + 2] not in ("", "]"):
            high, place = _member(text, place + 1, escapes=escapes)
        if high < low:
            raise PatternError(f"the range {low}-{high} goes backwards")
        members.append(f"{re.escape(low)}-{re.escape(high)}" if high != low else re.escape(low))
    return Token(regex=f"[{'^' if negated else ''}{''.join(members)}]"), place + 1


def _member(text: str, place: int, *, escapes: bool) -> tuple[str, int]:
    if text[place] == "\\" and escapes:
        place += 1
        if place == len(text):
            raise PatternError("a [ is never closed")
    return text[place], place + 1


@dataclass(slots=True)
class Glob:
    """A pattern against whole texts. ``*`` and ``?`` match any character, separators too."""

    tokens: Sequence[Token]
    prefix: str = field(init=False)
    """What every match begins with."""
    suffix: str = field(init=False)
    """What every match ends with; all of it for a pattern without wildcards."""
    is_literal: bool = field(init=False)
    core: str = field(init=False)
    """The longest text that every match contains."""
    _shortest: int = field(init=False)
    _regex: re.Pattern[str] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        runs = [""]
        for token in self.tokens:
            if token.literal:
                runs[-1] += token.literal
            else:
                runs.append("")
        self.prefix, self.suffix = runs[0], runs[-1]
        self.is_literal = len(runs) == 1
        self.core = max(runs, key=len)
        self._shortest = sum(len(t.literal) + bool(t.regex) for t in self.tokens)

    def matches(self, text: str) -> bool:
        """Whether the pattern means ``text``, all of it."""
        if self.is_literal:
            return text == self.prefix
        if len(text) < self._shortest or self.core not in text:
            return False
        if not (text.startswith(self.prefix) and text.endswith(self.suffix)):
            return False
        if self._regex is None:
            self._regex = re.compile(_regex(self.tokens), re.DOTALL)
        return self._regex.fullmatch(text) is not None


def _regex(tokens: Sequence[Token]) -> str:
    pieces = [""]
    was_star = False
    for token in tokens:
        if token.is_star:
            if not was_star:
                pieces.append("")
        else:
            pieces[-1] += token.regex or re.escape(token.literal)
        was_star = token.is_star
    first, *rest = pieces
    if not rest:
        return first
    middle = "".join(_shortest_way_to(piece, number) for number, piece in enumerate(rest[:-1]))
    return f"{first}{middle}.*{rest[-1]}"


def _shortest_way_to(piece: str, number: int) -> str:
    if sys.version_info >= (3, 11):
        return f"(?>.*?{piece})"
    # A lookahead is not entered again once it has matched.
    return f"(?=(?P<g{number}>.*?{piece}))(?P=g{number})"
