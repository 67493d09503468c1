"""The libraries that there are: listed without opening them, and deleted for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from c2v.config import libraries_dir
from c2v.errors import LibraryError
from c2v.nearest import did_you_mean


@dataclass(frozen=True, slots=True)
class FoundLibrary:
    """A library as it is seen from outside."""

    name: str
    """What ``--library`` takes: a name, or a folder."""
    directory: Path
    videos: int
    seconds_of_video: float
    size_bytes: int
    model: str | None
    last_used: float
    """When one of its files was last written, in seconds since 1970."""
    problem: str
    number: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON of ``c2v library list``."""
        found = asdict(self)
        del found["number"]
        return {**found, "directory": str(self.directory)}


@dataclass(frozen=True, slots=True)
class Deleted:
    """What ``c2v library delete`` did."""

    library: FoundLibrary
    other_files: int
    """Files in its folder that are not of c2v, and stay."""


def list_libraries(also: str | None = None) -> tuple[FoundLibrary, ...]:
    """Every library that has a name, sound or not, by name; and ``also`` if that is another.

    Args:
        also: a name or a folder.
    """
    from c2v.library.sqlite.glance import named_libraries

    found = [_seen(name, libraries_dir() / name) for name in named_libraries()]
    if also is not None:
        from c2v.library.addresses import library_folder, store_exists

        folder = library_folder(also)
        if folder not in [one.directory for one in found] and store_exists(also):
            found.append(_seen(str(folder), folder))
    return tuple(found)


def _seen(name: str, folder: Path) -> FoundLibrary:
    from c2v.library.sqlite.belongings import own_files
    from c2v.library.sqlite.glance import glance

    states = [path.stat() for path in own_files(folder)]
    held = glance(folder)
    return FoundLibrary(
        name=name,
        directory=folder,
        videos=held.videos,
        seconds_of_video=held.seconds,
        size_bytes=sum(state.st_size for state in states),
        model=held.model,
        last_used=max((state.st_mtime for state in states), default=0.0),
        problem=held.problem,
        number=held.number,
    )


def delete_library(address: str, *, confirm: Callable[[FoundLibrary], None]) -> Deleted:
    """Delete a library; the videos, and all else that lies in its folder, stay.

    Args:
        address: a name, or a folder.
        confirm: told what is about to be deleted; raising stops it.

    Raises:
        LibraryError: there is none, the folder is of another program, or another process is
            changing the library.
        C2VError: a file cannot be deleted.
    """
    from c2v.library.addresses import library_folder
    from c2v.library.sqlite.belongings import delete_library_files
    from c2v.library.sqlite.glance import DATABASE_NAME, glance, named_libraries
    from c2v.services.last_answer import forget

    folder = library_folder(address)
    if not (folder / DATABASE_NAME).is_file():
        near = did_you_mean(address, named_libraries())
        raise LibraryError(
            f"there is no library in {folder}", hint=f"{near} c2v library list".strip()
        )
    if not glance(folder).is_ours:
        raise LibraryError(
            f"{folder / DATABASE_NAME} is not of c2v, so {folder} is no library",
            hint="c2v library list",
        )
    doomed = _seen(address, folder)
    confirm(doomed)
    others = delete_library_files(folder)
    forget(doomed.number, str(folder))
    return Deleted(doomed, others)
