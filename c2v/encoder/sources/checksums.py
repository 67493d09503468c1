"""What is stated of a file beside it, and whether that is true of the bytes that came.

The hub's ``ETag`` of a large file is its SHA-256, of a small one the hash git gives it. Folders
state them in ``SHA256SUMS``, in ``FILE.sha256``, in what ``hf download --local-dir`` notes, or in
the name of a blob of the hub's cache. Other tags (of web servers, of object stores) are no
checksums and are only compared with themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from c2v.errors import ModelError

SUMS_NAMES: Final = ("SHA256SUMS", "SHA256SUMS.txt", "sha256sums.txt", "sha256sum.txt")
_READ_BYTES: Final = 1 << 22
_MOST_SUMS_BYTES: Final = 1 << 20
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SHA1: Final = re.compile(r"[0-9a-f]{40}")
_GNU: Final = re.compile(r"\\?([0-9a-fA-F]{64})[ \t]+\*?(.+)")
_BSD: Final = re.compile(r"SHA256 ?\((.+)\) ?= ?([0-9a-fA-F]{64})")

Kind = Literal["sha256", "git", "blake2b"]
_TITLES: Final[Mapping[Kind, str]] = {"sha256": "SHA-256", "git": "SHA-1", "blake2b": "BLAKE2b"}


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest (hexadecimal), and who states it. ``git`` is SHA-1, of the content alone or with
    git's header before it; ``blake2b`` is that of a bundle's files."""

    kind: Kind
    digest: str
    stated_by: str

    def check(self, file: Path, *, shown: str, hint: str) -> None:
        """Compare it with the content of ``file``, which messages call ``shown``.

        Raises:
            ModelError: it is another one, naming the file.
        """
        found = _digests(file, self.kind)
        if self.digest not in found:
            raise ModelError(
                f"{shown} is damaged: its {_TITLES[self.kind]} is {found[0]}, and "
                f"{self.stated_by} states {self.digest}",
                hint=hint,
            )


def of_headers(headers: Mapping[str, str], host: str) -> Checksum | None:
    """What a server that speaks the hub's protocol states of a file; None of any other tag.

    The names of ``headers`` are in small letters.
    """
    tag = plain_tag(headers.get("x-linked-etag") or headers.get("etag"))
    if _SHA256.fullmatch(tag):
        return Checksum("sha256", tag, host)
    if _SHA1.fullmatch(tag) and headers.get("x-repo-commit"):
        return Checksum("git", tag, host)
    return None


def plain_tag(tag: str | None) -> str:
    """An ``ETag`` without its quotes and its mark for weak ones."""
    return (tag or "").removeprefix("W/").strip('"')


def beside(file: Path, root: Path) -> Checksum | None:
    """What a folder states of one of its files; ``root`` is the outermost folder that is looked
    at.

    Raises:
        ModelError: the file is a pointer of Git LFS.
    """
    refuse_pointer(file)
    own = file.with_name(f"{file.name}.sha256")
    if found := _SHA256.search(_text(own).lower()):
        return Checksum("sha256", found[0], own.name)
    for folder in _up_to(file.parent, root):
        name = file.relative_to(folder).as_posix()
        for sums in SUMS_NAMES:
            if digest := parse_sums(_text(folder / sums)).get(name):
                return Checksum("sha256", digest, str(folder / sums))
        note = folder / ".cache" / "huggingface" / "download" / f"{name}.metadata"
        tag = (_text(note).splitlines() + ["", ""])[1]
        if _SHA256.fullmatch(tag):
            return Checksum("sha256", tag, str(note))
    blob = file.resolve().name  # of the hub's cache
    return Checksum("sha256", blob, "its name") if _SHA256.fullmatch(blob) else None


def refuse_pointer(file: Path) -> None:
    """Say of a clone without its large files that they are missing.

    Raises:
        ModelError: the file is a pointer of Git LFS.
    """
    with file.open("rb") as opened:
        if opened.read(len(_POINTER)) == _POINTER:
            raise ModelError(
                f"{file} is a pointer of Git LFS, not the file itself",
                hint=f"git -C {file.parent} lfs pull",
            )


def parse_sums(text: str) -> dict[str, str]:
    """Names and digests of a ``SHA256SUMS`` file, as GNU's or BSD's tools write it.

    >>> parse_sums(f"{'a' * 64}  ./one\\nSHA256 (two) = {'B' * 64}\\n# a remark") == {
    ...     "one": "a" * 64, "two": "b" * 64}
    True
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if gnu := _GNU.fullmatch(line.rstrip()):
            found[gnu[2].removeprefix("./")] = gnu[1].lower()
        elif bsd := _BSD.fullmatch(line.strip()):
            found[bsd[1].removeprefix("./")] = bsd[2].lower()
    return found


def _up_to(folder: Path, root: Path) -> Iterator[Path]:
    """A folder and those around it, ``root`` being the last."""
    yield folder
    if folder != root:
        for around in folder.parents:
            yield around
            if around == root:
                return


def _text(path: Path) -> str:
    """A small file of text; nothing where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_MOST_SUMS_BYTES).decode("utf-8", "replace")


def _digests(file: Path, kind: Kind) -> tuple[str, ...]:
    """Hexadecimal digests of a file that count as one of that kind."""
    if kind == "sha256":
        return (_digest(file, hashlib.sha256()),)
    if kind == "blake2b":
        return (_digest(file, hashlib.blake2b(digest_size=20)),)
    head = f"blob {file.stat().st_size}\0".encode()
    plain, blob = _sha1(b""), _sha1(head)
    return _digest(file, blob), _digest(file, plain)


def _sha1(start: bytes) -> Any:
    return hashlib.sha1(start, usedforsecurity=False)


def _digest(file: Path, digest: Any) -> str:
    update: Callable[[bytes], None] = digest.update
    with file.open("rb") as opened:
        while block := opened.read(_READ_BYTES):
            update(block)
    hexadecimal: str = digest.hexdigest()
    return hexadecimal
