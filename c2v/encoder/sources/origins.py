"""Where the files of a repository come from: a hub (its own client's ``HF_ENDPOINT``), a mirror of
it, or a folder.

A hub answers ``REPOSITORY/resolve/main/FILE``. A folder holds the same paths, or a clone of each
repository under its name, or the cache of the hub's client, or the files themselves:

    file:///mnt/models      /mnt/models/timm/PE-Core-B-16/open_clip_model.safetensors
    /mnt/models             /mnt/models/models--timm--PE-Core-B-16/snapshots/...
    ~/Downloads/PE-Core     ~/Downloads/PE-Core/open_clip_model.safetensors

What comes over a connection is kept below c2v's cache until a bundle was made of it
(:mod:`c2v.encoder.sources.transfer`); what lies in a folder is read where it is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from c2v.config import cache_dir
from c2v.encoder.sources import checksums, transfer
from c2v.encoder.sources.transfer import Progress
from c2v.errors import ModelError, UsageError
from c2v.files.locks import try_lock, unlock

HUB: Final = "https://huggingface.co"
_KEPT_DAYS: Final = 30.0

Remark = Callable[[str], None]


def endpoint() -> str:
    """Address of the hub, as its own client reads it; a folder here may be one, too."""
    return os.environ.get("HF_ENDPOINT") or HUB


class Origin(Protocol):
    """Somewhere that files of repositories come from."""

    @property
    def shown(self) -> str:
        """As messages call it: a host, or a folder."""
        ...

    @property
    def connects(self) -> bool:
        """Whether it takes a network."""
        ...

    def obtain(
        self, repository: str, file: str, *, remark: Remark, on_progress: Progress | None = None
    ) -> Path | None:
        """A file of a repository, checked against what is stated of it; None where there is none.

        ``repository`` may be empty: the file lies at the address itself. ``remark`` is told where
        nothing is stated, in one line.

        Raises:
            ModelError: it did not come, or is not what is stated; the message names the file.
        """
        ...


def open_origin(address: str | None = None) -> Origin:
    """The origin at an address: ``https://...``, ``file://...`` or a folder; by default the hub.

    Raises:
        UsageError: it is none of these.
    """
    text = address or endpoint()
    scheme, separator, _ = text.partition("://")
    if not separator:
        return FolderOrigin(Path(os.path.expanduser(text)))  # noqa: PTH111 - it leaves ~nobody alone
    if scheme.lower() == "file":
        parts = urllib.parse.urlsplit(text)
        return FolderOrigin(Path(urllib.request.url2pathname(parts.path)))
    if scheme.lower() in ("http", "https"):
        return WebOrigin(text.rstrip("/"))
    raise UsageError(
        f"{text} is no place to fetch a model from",
        hint="give https://HOST, file:///FOLDER or a folder",
    )


@dataclass(frozen=True, slots=True)
class FolderOrigin:
    """A folder: of repositories, of the hub's client, or of the files themselves."""

    root: Path

    @property
    def shown(self) -> str:
        return str(self.root)

    @property
    def connects(self) -> bool:
        return False

    def obtain(
        self, repository: str, file: str, *, remark: Remark, on_progress: Progress | None = None
    ) -> Path | None:
        found = next((path for path in self._places(repository, file) if path.is_file()), None)
        if found is None:
            return None
        try:
            stated = checksums.beside(found, self.root)
        except OSError as error:
            raise ModelError(
                f"{found} cannot be read: {error.strerror or error}", hint="check its permissions"
            ) from error
        if stated is None:
            remark(f"{found} is taken as it is: no SHA256SUMS is beside it")
        else:
            stated.check(found, shown=str(found), hint="copy it there again")
        return found

    def _places(self, repository: str, file: str) -> Iterator[Path]:
        if repository:
            yield self.root / repository / "resolve" / "main" / file
            yield self.root / repository / file
            yield self.root / repository.rpartition("/")[2] / file
            for cache in (self.root, self.root / "hub"):
                yield from snapshots(cache, repository, file)
        yield self.root / file


@dataclass(frozen=True, slots=True)
class WebOrigin:
    """A hub, or a server that answers as one."""

    base: str

    @property
    def shown(self) -> str:
        return host_of(self.base)

    @property
    def connects(self) -> bool:
        return True

    def obtain(
        self, repository: str, file: str, *, remark: Remark, on_progress: Progress | None = None
    ) -> Path | None:
        url = self.address(repository, file)
        seen = transfer.look(url)
        if seen is None:
            return None
        stated = seen.checksum or self._sums(repository, file)
        part = downloads(f"{self.shown}/{repository}") / file
        with _alone(part):
            resumed = transfer.fetch(seen, part, on_progress)
            if stated is None:
                remark(f"{self.shown} states no checksum of {file}: only its size was compared")
                return part
            hint = "the same command fetches it anew; if it stays so, try another mirror"
            try:
                stated.check(part, shown=url, hint=hint)
            except ModelError:
                transfer.forget(part)
                if not resumed:
                    raise
                transfer.fetch(seen, part, on_progress)  # what was kept was not of this file
                stated.check(part, shown=url, hint=hint)
        return part

    def address(self, repository: str, file: str) -> str:
        """Of a file of a repository; of one at the address itself where there is none."""
        name = urllib.parse.quote(file)
        return (
            f"{self.base}/{repository}/resolve/main/{name}"
            if repository
            else (f"{self.base}/{name}")
        )

    def _sums(self, repository: str, file: str) -> checksums.Checksum | None:
        """What a list beside it states of a file of which the server states nothing."""
        name = checksums.SUMS_NAMES[0]
        content = transfer.read_small(self.address(repository, name))
        digest = checksums.parse_sums((content or b"").decode("utf-8", "replace")).get(file)
        return checksums.Checksum("sha256", digest, f"{name} there") if digest else None


def host_of(address: str) -> str:
    """The host of an address; neither the user's name nor the password is shown."""
    try:
        parts = urllib.parse.urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # no address at all
        return address
    return f"{parts.hostname}{port}" if parts.hostname else address


def hub_cache() -> Path:
    """The cache of the hub's client, which is read and never written."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if folder := os.environ.get(variable):
            return Path(os.path.expanduser(folder))  # noqa: PTH111 - it leaves ~nobody alone
    general = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{general}/huggingface"
    return Path(os.path.expanduser(home)) / "hub"  # noqa: PTH111


def snapshots(cache: Path, repository: str, file: str) -> Iterator[Path]:
    """Where the hub's client would keep a file of a repository: of its main branch, then of any."""
    kept = cache / f"models--{repository.replace('/', '--')}"
    main = kept / "refs" / "main"
    if main.is_file():
        yield kept / "snapshots" / main.read_text(encoding="utf-8").strip() / file
    yield from sorted(kept.glob(f"snapshots/*/{file}"))


def downloads(of: str) -> Path:
    """The folder for what comes from one repository of one host."""
    return cache_dir() / "downloads" / of.strip("/").replace("/", "--").replace(":", "-")


def sweep(done: Path | None = None) -> None:
    """Drop a download of which a bundle was made, and what nobody went on with for a month."""
    root = cache_dir() / "downloads"
    if done is not None and root in done.parents:
        shutil.rmtree(root / done.relative_to(root).parts[0], ignore_errors=True)
    oldest = time.time() - _KEPT_DAYS * 86400
    for folder in root.iterdir() if root.is_dir() else ():
        if max((path.stat().st_mtime for path in folder.rglob("*")), default=0.0) < oldest:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Keep another c2v from fetching the same file meanwhile."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.with_name(f"{part.name}.lock").open("ab") as lock:
        held: bool | None = None  # no locks on this file system
        with contextlib.suppress(OSError):
            held = try_lock(lock.fileno())
        if held is False:
            raise ModelError(
                f"{part.name} is being fetched by another c2v", hint="wait until it has ended"
            )
        try:
            yield
        finally:
            if held:
                unlock(lock.fileno())
