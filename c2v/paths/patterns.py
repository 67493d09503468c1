"""What is meant by a path, or a pattern of paths, that somebody types: the same everywhere.

``--in``, ``--exclude`` and ``remove`` take them. What exists as a path, or as a path that a library
holds, is meant as it stands, whatever characters it has: the file, or the folder with all below.
Anything else is a pattern: ``*`` matches any characters (separators too), ``?`` one, ``[a-z]`` one
of some; what it matches is meant with all below. Relative ones are understood from the current
folder; patterns also at any depth, unless they begin with ``./``, ``../`` or ``~``.

Names are compared as they are, then in Unicode's composed form: keyboards compose what some file
systems take apart.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from c2v.paths.globs import STAR, Glob, PatternError, Token, parse


def composed(path: str) -> str:
    """The form in which names that look alike are alike (NFC)."""
    if path.isascii():
        return path
    from unicodedata import normalize  # hardly ever needed, and a tenth of a megabyte

    return normalize("NFC", path)


def existing(path: str, *, listings: dict[str, dict[str, str]] | None = None) -> str:
    """``path`` as its names are written on disk, or as it is where there is no such file.

    ``listings`` keeps what folders hold, for a caller that asks for many paths.

    >>> existing("/no such folder/a.mp4")
    '/no such folder/a.mp4'
    """
    if os.path.lexists(path) or path.isascii():
        return path
    above, name = os.path.split(path)
    if not name or above == path:
        return path
    known: dict[str, dict[str, str]] = {} if listings is None else listings
    above = existing(above, listings=known)
    if above not in known:
        known[above] = _names_in(above)
    found = known[above].get(composed(name))
    return path if found is None else os.path.join(above, found)  # noqa: PTH118


def _names_in(folder: str) -> dict[str, str]:
    """What is in a folder, by composed names; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return {composed(name): name for name in sorted(entry.name for entry in entries)}
    except (OSError, ValueError):
        return {}


@dataclass(slots=True)
class PathPattern:
    """One path or pattern, as it was typed.

    Raises:
        PatternError: it is empty.
    """

    text: str
    place: str = field(init=False)
    """The absolute path that it is when it is taken as it stands."""
    exists: bool = field(init=False)
    """There is a file or folder at ``place``."""
    _places: frozenset[str] = field(init=False)
    _folders: tuple[str, ...] = field(init=False)
    _is_free: bool = field(init=False)
    _globs: list[Glob] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if not self.text:
            raise PatternError("it is empty")
        typed = os.path.expanduser(self.text)  # noqa: PTH111
        # Not resolved: links stay links, as they do while indexing.
        self.place = existing(os.path.abspath(typed))  # noqa: PTH100
        self.exists = os.path.lexists(self.place)
        real = os.path.realpath(self.place) if self.exists else self.place
        self._places = frozenset(os.path.normcase(one) for one in (self.place, real))
        self._folders = tuple(one.rstrip(os.sep) + os.sep for one in self._places)
        start = typed.replace("\\", "/") if os.sep == "\\" else typed
        self._is_free = not (
            os.path.isabs(typed)  # noqa: PTH117 - it is no path yet
            or start.split("/", 1)[0] in (".", "..")
            or typed != self.text
        )

    @property
    def places(self) -> frozenset[str]:
        """``place``, and where it really is; in the case of the file system."""
        return self._places

    def is_at(self, path: str) -> bool:
        """Whether ``path`` (absolute) is ``place``, or below it."""
        path = os.path.normcase(path)
        return path in self._places or path.startswith(self._folders)

    def looks_at(self, path: str) -> bool:
        """:meth:`is_at`, with names that only look like those of ``place``."""
        path, place = _form(path), _form(self.place)
        return path == place or path.startswith(place.rstrip(os.sep) + os.sep)

    def fits(self, path: str) -> bool:
        """Whether ``path`` (absolute) is meant by it as a pattern, or is below what is.

        Raises:
            PatternError: it is a pattern that means nothing.
        """
        if self._globs is None:
            self._globs = [Glob(tokens) for tokens in self._patterns()]
        path = _form(path)
        return any(glob.matches(path) for glob in self._globs)

    def _patterns(self) -> list[list[Token]]:
        """Patterns of whole paths. Of a path, what exists of its beginning stands for itself."""
        folder, rest = os.path.split(self.place)
        while not os.path.lexists(folder) and folder != os.path.dirname(folder):  # noqa: PTH120
            folder, name = os.path.split(folder)
            rest = os.path.join(name, rest)  # noqa: PTH118
        here = folder.rstrip(os.sep) + os.sep
        variants = [[Token(_form(here)), *parse(_form(rest), escapes=False)]]
        if self._is_free and folder == str(Path.cwd()):
            anywhere = os.path.normpath(self.text)
            for tokens in ([Token(_form(anywhere))], parse(_form(anywhere), escapes=False)):
                variants.append([STAR, Token(os.sep), *tokens])
        below = [Token(os.sep), STAR]
        return [tokens for variant in variants for tokens in (variant, [*variant, *below])]


def _form(text: str) -> str:
    return composed(os.path.normcase(text))


def select(patterns: Sequence[str], paths: Sequence[str]) -> tuple[list[int], list[str]]:
    """Which of ``paths`` (absolute) are meant, as their places in order; and the patterns that mean
    none of them.

    Raises:
        PatternError: a pattern that means nothing; names it.
    """
    chosen: set[int] = set()
    unmatched = []
    for text in patterns:
        try:
            meant = _meant(PathPattern(text), paths)
        except PatternError as error:
            raise PatternError(f"{text!r} is no pattern: {error}") from error
        if not meant:
            unmatched.append(text)
        chosen.update(meant)
    return sorted(chosen), unmatched


def _meant(pattern: PathPattern, paths: Sequence[str]) -> list[int]:
    meant = [place for place, path in enumerate(paths) if pattern.is_at(path)]
    if not meant and not pattern.place.isascii():
        meant = [place for place, path in enumerate(paths) if pattern.looks_at(path)]
    if not meant and not pattern.exists:
        meant = [place for place, path in enumerate(paths) if pattern.fits(path)]
    return meant
