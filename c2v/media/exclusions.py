"""What ``--exclude`` leaves out: paths and patterns as everywhere, and gitignore's lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from c2v.media.ignore import IgnoreRules
from c2v.paths.globs import PatternError
from c2v.paths.patterns import PathPattern, composed


@dataclass(slots=True)
class _Exclusion:
    """One of them. What exists as a path is that path; a bare name also that name further down."""

    text: str
    pattern: PathPattern
    leaves_out: bool
    """False: takes back what an earlier one left out (``!``)."""
    line: IgnoreRules | None
    """The text as a line of an ignore file; None for what exists as a path."""
    has_matched: bool = False
    _standing: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> _Exclusion:
        """Raises PatternError when it means nothing."""
        pattern = PathPattern(text)
        if pattern.exists:
            return cls(text, pattern, leaves_out=True, line=None)
        negated = text.startswith("!")
        pattern = PathPattern(text[1:]) if negated else pattern
        pattern.fits("")  # reads it

        def complain(_: int, why: str) -> None:
            raise PatternError(why)

        line = IgnoreRules([text], on_bad=complain)
        return cls(text, pattern, leaves_out=not negated, line=line)

    def means(self, path: str, root: str, *, is_folder: bool) -> bool:
        """Whether it means ``path``, which is below ``root``; the root was named on purpose."""
        relative = path[len(root) :].lstrip(os.sep)
        if self.line is None:
            return self._is_named(path) or (
                self.pattern.is_at(path) and not self.pattern.is_at(root)
            )
        if self.leaves_out and self._stands_in(root):
            return self._is_named(path) or composed(relative) == composed(self._plain)
        if self.line.verdict(relative.replace(os.sep, "/"), is_folder=is_folder) is not None:
            return True
        fits = is_folder or not self.text.endswith("/")
        return fits and self.pattern.fits(path) and not self.pattern.fits(root)

    @property
    def _plain(self) -> str:
        return self.text.rstrip("/" + os.sep)

    def _is_named(self, path: str) -> bool:
        name = os.path.basename(path)  # noqa: PTH119 - for every file
        return composed(name) == composed(self._plain)

    def _stands_in(self, root: str) -> bool:
        """There is such a path below the root: brackets in it are part of its name."""
        if root not in self._standing:
            self._standing[root] = os.path.lexists(os.path.join(root, self._plain))  # noqa: PTH118
        return self._standing[root]


class Exclusions:
    """All of them; ``on_bad`` is told one that means nothing, and why. It is left out."""

    def __init__(self, texts: Sequence[str], *, on_bad: Callable[[str, str], None]) -> None:
        self._all: list[_Exclusion] = []
        for text in texts:
            try:
                self._all.append(_Exclusion.parse(text))
            except PatternError as error:
                on_bad(text, str(error))

    def verdict(self, path: str, root: str, *, is_folder: bool) -> bool | None:
        """True: left out, False: taken back, None: not meant by any. The last that does decides."""
        verdict = None
        for one in self._all:
            if one.means(path, root, is_folder=is_folder):
                one.has_matched = True
                verdict = one.leaves_out
        return verdict

    def unmatched(self, roots: Sequence[str]) -> list[str]:
        """Those that meant nothing; a path below one of ``roots`` may also be no video."""
        return [one.text for one in self._all if not (one.has_matched or _is_in(one, roots))]


def _is_in(exclusion: _Exclusion, roots: Sequence[str]) -> bool:
    place = exclusion.pattern.place
    return exclusion.pattern.exists and any(
        place.startswith(root.rstrip(os.sep) + os.sep) for root in roots
    )
