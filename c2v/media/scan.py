"""Find the videos under some folders: quickly, in a fixed order, each real file once.

Rules, in ripgrep's spirit: a file that is named is always taken; in folders only names with a
video's extension are, hidden ones are left out, and `.c2vignore` files (gitignore syntax, nested
like git's, those of the folders above included) and exclusions (paths and patterns as everywhere,
see c2v.paths.patterns, and gitignore's patterns relative to the folder that was named) are obeyed.
What the kernel makes up (/proc, /sys, /dev, by the kind of file system) is not walked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from c2v.files.mounts import kernel_devices
from c2v.media.exclusions import Exclusions
from c2v.media.identity import modified_ns
from c2v.media.ignore import IgnoreRules, decode_lines
from c2v.media.sidecars import SUBTITLE_EXTENSIONS, Beside, FoundSubtitle

IGNORE_FILE = ".c2vignore"

VIDEO_EXTENSIONS: tuple[str, ...] = (
    # MPEG-4 family and QuickTime
    *("mp4", "m4v", "mp4v", "mov", "qt", "3gp", "3g2", "3gpp", "f4v", "insv", "lrv"),
    # Matroska, WebM, Ogg
    *("mkv", "mk3d", "webm", "ogv", "ogm"),
    # MPEG program and transport streams, DVD, cameras, recorders
    *("mpg", "mpeg", "mpe", "mpv", "m1v", "m2v", "vob", "ts", "m2ts", "m2t", "mts", "tp"),
    *("trp", "tod", "mod", "wtv"),
    # Windows and RealMedia
    *("avi", "divx", "xvid", "wmv", "asf", "rm", "rmvb"),
    # the rest
    *("flv", "mxf", "dv", "nut", "ivf", "y4m", "mjpeg", "mjpg", "amv", "gif"),
    *("h264", "264", "avc", "h265", "265", "hevc", "av1", "obu"),
)
"""Extensions, lower case, without the dot."""
_IS_VIDEO = frozenset(VIDEO_EXTENSIONS)

_ALSO_SOURCE_CODE = frozenset({"ts", "mts"})
"""TypeScript uses them too: such a file counts as a video when it has the sync bytes of one."""

_TS_SYNC = 0x47
_TS_SYNC_OFFSETS = (0, 4, 192)  # plain packets; packets after a 4-byte time code (m2ts), twice


@dataclass(frozen=True, slots=True)
class FoundVideo:
    """A video file on disk; `path` is absolute, `mtime_ns` is its time of change."""

    path: Path
    size_bytes: int
    mtime_ns: int
    subtitles: tuple[FoundSubtitle, ...] = ()
    """Files beside it."""


@dataclass(frozen=True, slots=True)
class ScanProblem:
    """Something that could not be looked at, and why."""

    path: Path
    reason: str
    kind: Literal["file", "folder", "rule"] = "file"
    """A rule is a line of an ignore file or an exclusion that is not obeyed."""


@dataclass(slots=True)
class NamedFolder:
    """What was seen in a folder that was named, and below it."""

    path: Path
    files: int = 0
    """Of any name; hidden ones where they are not taken do not count."""
    videos: int = 0
    left_out: int = 0
    """Files with a video's name that an exclusion or an ignore file leaves out."""
    hidden: int = 0
    """The same of hidden ones, where they are not taken."""
    seen_before: bool = False
    """Some of it is below another folder that was named, and counts there."""


@dataclass(frozen=True, slots=True)
class _IgnoreFile:
    """The ignore file of the folder `base`."""

    base: str
    rules: IgnoreRules

    def relative(self, path: str) -> str:
        return path[len(self.base) :].lstrip(os.sep).replace(os.sep, "/")


@dataclass(frozen=True, slots=True)
class _Rules:
    """What is left out in a folder: by option below the named `root`, and by ignore files."""

    root: str
    exclusions: Exclusions
    files: tuple[_IgnoreFile, ...]
    """The outermost first."""

    def leave_out(self, path: str, *, is_folder: bool) -> bool:
        """The option decides first; then, as in git, the innermost file that mentions the path."""
        verdict = self.exclusions.verdict(path, self.root, is_folder=is_folder)
        for file in reversed(self.files):
            if verdict is not None:
                break
            verdict = file.rules.verdict(file.relative(path), is_folder=is_folder)
        return verdict is True


@dataclass(slots=True)
class _Walk:
    """One scan: what was visited, what was found. Keys are (device, inode), or a real path."""

    hidden: bool
    on_problem: Callable[[ScanProblem], None]
    folders: set[object] = field(default_factory=set)
    named: dict[str, NamedFolder] = field(default_factory=dict)
    kernel: dict[int, str] = field(default_factory=kernel_devices)
    found: list[tuple[str, object, bool, os.stat_result]] = field(default_factory=list)
    linked_folders: list[tuple[str, _Rules]] = field(default_factory=list)
    beside: Beside | None = None
    """Takes note of subtitle files; None where nobody asks for them."""

    def problem(
        self, path: str, error: OSError, kind: Literal["file", "folder", "rule"] = "file"
    ) -> None:
        self.on_problem(ScanProblem(Path(path), error.strerror or str(error), kind))

    def take_file(self, path: str, status: os.stat_result, *, linked: bool) -> None:
        self.found.append((path, _key(path, status), linked, status))

    def folder(self, path: str, rules: _Rules, *, linked: bool) -> None:
        """Walk a folder; links to folders wait, so that a real place wins over a link to it."""
        pending = [(path, rules)]
        while pending:
            path, rules = pending.pop()
            try:
                status = os.stat(path)  # noqa: PTH116 - strings: 100,000 Paths take a second
                if self._is_kernels(path, status, rules) or self._was_seen(path, status, rules):
                    continue
                with os.scandir(path) as entries:
                    listing = sorted(entries, key=lambda entry: entry.name)
                rules = self._with_ignore_file(path, rules, listing)
            except OSError as error:
                self.problem(path, error, "folder")
                continue
            if self.beside is not None:
                self.beside.see(path, self._taken(listing, rules))
            for entry in listing:
                if self.hidden or not entry.name.startswith("."):
                    self._entry(entry, rules, pending, linked=linked)
                elif _has_video_name(entry.name) and not entry.name.startswith("._"):
                    self.named[rules.root].hidden += 1

    def _taken(
        self, listing: Sequence[os.DirEntry[str]], rules: _Rules
    ) -> Iterator[os.DirEntry[str]]:
        """What is not left out; of other files than subtitles that is asked elsewhere."""
        for entry in listing:
            if self.hidden or not entry.name.startswith("."):
                is_subtitle = entry.name.rpartition(".")[2].lower() in SUBTITLE_EXTENSIONS
                if not (is_subtitle and rules.leave_out(entry.path, is_folder=False)):
                    yield entry

    def _is_kernels(self, path: str, status: os.stat_result, rules: _Rules) -> bool:
        """Whether the kernel makes up this folder; said of one that was named."""
        kind = self.kernel.get(status.st_dev)
        if kind is not None and path == rules.root:
            reason = f"not walked: its files are made up by the system ({kind}), no video is there"
            self.on_problem(ScanProblem(Path(path), reason, "folder"))
        return kind is not None

    def _was_seen(self, path: str, status: os.stat_result, rules: _Rules) -> bool:
        """Whether a folder was walked before; a loop of links ends here."""
        key = _key(path, status)
        if key in self.folders:
            self.named[rules.root].seen_before = True
            return True
        self.folders.add(key)
        return False

    def _entry(
        self,
        entry: os.DirEntry[str],
        rules: _Rules,
        pending: list[tuple[str, _Rules]],
        *,
        linked: bool,
    ) -> None:
        try:
            is_link = entry.is_symlink()
            if entry.is_dir():
                if not rules.leave_out(entry.path, is_folder=True):
                    (self.linked_folders if is_link else pending).append((entry.path, rules))
                return
            seen = self.named[rules.root]
            seen.files += 1
            # macOS keeps a `._name` of resource data beside a file: never a video.
            if not _has_video_name(entry.name) or entry.name.startswith("._"):
                return
            if not entry.is_file():
                # A broken link or a pipe with a video's name; a pipe must never be opened.
                reason = "is a broken link" if is_link else "is not a regular file"
                self.on_problem(ScanProblem(Path(entry.path), reason))
                return
            if rules.leave_out(entry.path, is_folder=False):
                seen.left_out += 1
                return
            if not _is_plausible(entry.path):
                return
            seen.videos += 1
            self.take_file(entry.path, entry.stat(), linked=linked or is_link)
        except OSError as error:
            self.problem(entry.path, error)

    def rules_above(self, root: str) -> tuple[_IgnoreFile, ...]:
        """The ignore files of the folders above a named one, the outermost first.

        One that leaves out the named folder itself does not count: naming it was on purpose.
        """
        files: list[_IgnoreFile] = []
        for parent in reversed(Path(root).parents):
            try:
                if not (parent / IGNORE_FILE).is_file():
                    continue
                found = self._read_ignore_file(str(parent))
            except OSError as error:
                self.problem(str(parent / IGNORE_FILE), error, "rule")
                continue
            if not found.rules.leaves_out(found.relative(root), is_folder=True):
                files.append(found)
        return tuple(files)

    def _with_ignore_file(
        self, path: str, rules: _Rules, listing: Sequence[os.DirEntry[str]]
    ) -> _Rules:
        if any(entry.name == IGNORE_FILE and entry.is_file() for entry in listing):
            return replace(rules, files=(*rules.files, self._read_ignore_file(path)))
        return rules

    def _read_ignore_file(self, folder: str) -> _IgnoreFile:
        file = Path(folder) / IGNORE_FILE

        def complain(number: int, why: str) -> None:
            self.on_problem(ScanProblem(file, f"line {number} is left out: {why}", "rule"))

        return _IgnoreFile(folder, IgnoreRules(decode_lines(file.read_bytes()), on_bad=complain))


def scan(
    roots: Sequence[Path],
    *,
    exclude: Sequence[str] = (),
    hidden: bool = False,
    subtitles: bool = True,
    on_problem: Callable[[ScanProblem], None],
    on_unmatched: Callable[[str], None] | None = None,
    on_named: Callable[[NamedFolder], None] | None = None,
) -> Iterator[FoundVideo]:
    """Yield the videos under `roots`, sorted by path, each real file once.

    A root that is a file is always taken. Links are followed; loops are cut; of several names of
    one file the first real one (not a link) is kept. What is missing or unreadable goes to
    `on_problem` and never ends the walk. `on_unmatched` is told each of `exclude` that left nothing
    out, `on_named` of each root that is a folder what was seen there. With `subtitles` each video
    comes with the subtitle files beside it.
    """

    def complain(text: str, why: str) -> None:
        on_problem(ScanProblem(Path(text), f"--exclude {text[:80]} is left out: {why}", "rule"))

    folders = [os.path.abspath(root) for root in roots]  # noqa: PTH100 - links in it must stay
    exclusions = Exclusions(exclude, on_bad=complain)
    beside = Beside(_has_video_name) if subtitles else None
    walk = _Walk(hidden=hidden, on_problem=on_problem, beside=beside)
    for path in folders:
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            walk.problem(path, error)
            continue
        if stat.S_ISDIR(status.st_mode):
            walk.named.setdefault(path, NamedFolder(Path(path)))
            walk.folder(path, _Rules(path, exclusions, walk.rules_above(path)), linked=False)
        elif stat.S_ISREG(status.st_mode):
            walk.take_file(path, status, linked=Path(path).is_symlink())
            if beside is not None:
                beside.see_around(path)
        else:
            on_problem(ScanProblem(Path(path), "is not a regular file"))
    while walk.linked_folders:
        waiting = sorted(walk.linked_folders, key=lambda item: item[0])
        walk.linked_folders.clear()
        for path, rules in waiting:
            walk.folder(path, rules, linked=True)
    for seen in walk.named.values() if on_named else ():
        on_named(seen)  # type: ignore[misc]
    for text in exclusions.unmatched(folders) if on_unmatched else ():
        on_unmatched(text)  # type: ignore[misc]
    yield from _each_once(walk)


def _each_once(walk: _Walk) -> Iterator[FoundVideo]:
    best: dict[object, tuple[str, object, bool, os.stat_result]] = {}
    for item in sorted(walk.found, key=lambda item: (item[2], item[0])):
        best.setdefault(item[1], item)
    beside = walk.beside.of_all([item[0] for item in best.values()]) if walk.beside else {}
    for path, _, _, status in sorted(best.values(), key=lambda item: _parts(item[0])):
        yield FoundVideo(Path(path), status.st_size, modified_ns(status), beside.get(path, ()))


def _parts(path: str) -> list[str]:
    """Sorting by parts keeps a folder's files together ("a/b" before "a b/c")."""
    return path.split(os.sep)  # noqa: PTH206 - twenty times faster than Path.parts


def _key(path: str, status: os.stat_result) -> object:
    # Windows' directory listing has no inode numbers.
    if status.st_ino:
        return (status.st_dev, status.st_ino)
    return os.path.normcase(os.path.realpath(path))


def _has_video_name(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _IS_VIDEO and "." in name


def _is_plausible(path: str) -> bool:
    """False for TypeScript sources; any other extension speaks for itself."""
    if path.rpartition(".")[2].lower() not in _ALSO_SOURCE_CODE:
        return True
    with Path(path).open("rb") as file:
        head = file.read(193)
    # An empty file is kept: it is a recording that failed, and is reported as such.
    return not head or any(
        len(head) > offset and head[offset] == _TS_SYNC for offset in _TS_SYNC_OFFSETS
    )
