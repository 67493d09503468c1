"""Ignore files in gitignore syntax, read so that neither a pattern nor their number costs much.

Every line is filed under what a path must have to be meant: a name, a piece of a name, or a folder
it is in. So a path is only compared with the few lines that may mean it.
"""

from __future__ import annotations

import codecs
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from c2v.paths.globs import STAR, Glob, PatternError, Token, parse

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 first: its little-endian mark begins with that of UTF-16."""

_ANY_NAME = Glob([STAR])


def decode_lines(content: bytes) -> list[str]:
    """The lines of a text file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Names that are not UTF-8 keep their bytes, as in ``os.fsdecode``.
    """
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    return [line.removesuffix("\r") for line in content.decode(encoding, errors).split("\n")]


@dataclass(frozen=True, slots=True)
class _Line:
    """One pattern. ``segments`` are matched with the names of a path; None is ``**``."""

    segments: Sequence[Glob | None]
    leaves_out: bool
    folders_only: bool

    def matches(self, names: Sequence[str], *, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        return _match(self.segments, names)


class IgnoreRules:
    """The patterns of one ignore file; paths are relative to its folder, with ``/``.

    ``on_bad`` is told the number of a line that means nothing, from 1, and why; it is left out.
    """

    def __init__(self, lines: Iterable[str], *, on_bad: Callable[[int, str], None]) -> None:
        self._lines: list[_Line] = []
        self._by_name = _Index()
        self._by_core = _Index()
        self._by_folder = _Index()
        self._by_ancestor = _Index()
        self._others: list[int] = []
        for number, text in enumerate(lines, start=1):
            try:
                line = _parse(text)
            except PatternError as error:
                on_bad(number, str(error))
            else:
                if line is not None:
                    self._lines.append(line)
                    self._file(line, len(self._lines) - 1)

    def _file(self, line: _Line, key: int) -> None:
        """Put a line where :meth:`_candidates` looks for it."""
        last = line.segments[-1]
        assert last is not None  # see _parse
        is_plain = [segment is not None and segment.is_literal for segment in line.segments]
        plain = [segment.prefix for segment in line.segments if segment and segment.is_literal]
        folders = plain[: [*is_plain, False].index(False)]
        if folders:
            self._by_folder.add("/".join(folders), key)
        elif last.is_literal:
            self._by_name.add(last.prefix, key)
        elif plain:
            self._by_ancestor.add(max(plain, key=len), key)
        elif last.core:
            self._by_core.add(last.core, key)
        else:
            self._others.append(key)

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: left out, False: taken back by a ``!`` pattern, None: not mentioned.

        The last line that means the path decides. Of the folders it is in nothing is asked.
        """
        names = path.split("/")
        found = list(self._others)
        for key in self._candidates(path, names):
            insort(found, key)
        for key in reversed(found):
            line = self._lines[key]
            if line.matches(names, is_folder=is_folder):
                return line.leaves_out
        return None

    def _candidates(self, path: str, names: Sequence[str]) -> Iterator[int]:
        name = names[-1]
        yield from self._by_name.get(name)
        if self._by_ancestor.lengths:
            for folder in set(names[:-1]):
                yield from self._by_ancestor.get(folder)
        for length in self._by_core.lengths:
            for start in range(len(name) - length + 1):
                yield from self._by_core.get(name[start : start + length])
        if self._by_folder.lengths:
            end = path.find("/")
            while end >= 0:
                yield from self._by_folder.get(path[:end])
                end = path.find("/", end + 1)
            yield from self._by_folder.get(path)

    def leaves_out(self, path: str, *, is_folder: bool) -> bool:
        """Whether the path is left out, or a folder it is in, which nothing takes back then."""
        end = path.find("/")
        while end >= 0:
            if self.verdict(path[:end], is_folder=True):
                return True
            end = path.find("/", end + 1)
        return self.verdict(path, is_folder=is_folder) is True


class _Index:
    """Numbers of lines under texts, and how long the texts are."""

    def __init__(self) -> None:
        self._keys: defaultdict[str, list[int]] = defaultdict(list)
        self.lengths: set[int] = set()

    def add(self, text: str, key: int) -> None:
        self._keys[text].append(key)
        self.lengths.add(len(text))

    def get(self, text: str) -> Sequence[int]:
        return self._keys.get(text, ())


def _parse(text: str) -> _Line | None:
    """One line; None for an empty one and a comment."""
    text = _without_trailing_spaces(text)
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[negated:]
    folders_only = text.endswith("/")
    text = text[:-1] if folders_only else text
    is_path = "/" in text
    tokens = parse(text.removeprefix("/"), escapes=True)
    if not tokens:
        return None
    segments = _segments(tokens) if is_path else [None, Glob(tokens)]
    return _Line(segments, leaves_out=not negated, folders_only=folders_only)


def _without_trailing_spaces(text: str) -> str:
    kept = text.rstrip(" ")
    backslashes = len(kept) - len(kept.rstrip("\\"))
    # "name\ " ends in a space that is meant.
    return kept + " " if backslashes % 2 and len(kept) < len(text) else kept


def _segments(tokens: Sequence[Token]) -> list[Glob | None]:
    """The parts between slashes; ``**`` alone, any folders, is None."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if "/" not in token.literal:
            parts[-1].append(token)
            continue
        first, *rest = token.literal.split("/")
        parts[-1] += [Token(first)] if first else []
        parts += [[Token(text)] if text else [] for text in rest]
    segments: list[Glob | None] = []
    for part in parts:
        if len(part) < 2 or not all(token.is_star for token in part):
            segments.append(Glob(part))
        elif not segments or segments[-1] is not None:
            segments.append(None)
    if segments[-1] is None:
        segments.append(_ANY_NAME)  # all that is in a folder, but not the folder itself
    return segments


def _match(segments: Sequence[Glob | None], names: Sequence[str]) -> bool:
    """Walk along both; after a mismatch the last ``**`` takes one name more. Never further back:
    what an earlier ``**`` could take besides, the last one can."""
    place = at = 0
    again: tuple[int, int] | None = None
    while at < len(names):
        segment = segments[place] if place < len(segments) else _NOTHING
        if segment is None:
            place += 1
            again = (place, at)
        elif segment.matches(names[at]):
            place += 1
            at += 1
        elif again is not None:
            again = (again[0], again[1] + 1)
            place, at = again
        else:
            return False
    return place == len(segments)


_NOTHING = Glob([])
"""Matches no name: names are never empty."""
