"""The library: what a user's videos became, on disk, behind one object.

A library is a folder: ``library.db`` (SQLite, the truth), ``cache/`` (matrix and graph, which can
be deleted at any time), two lock files, and ``reserve``: room on the disk that is given up when
there is none left, so that something can still be removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError, NoRoomError
from c2v.files.writing import replacing
from c2v.library.records import HnswSettings, ModelRecord, NewVideo, SegmentData, Tag
from c2v.library.sqlite import opening
from c2v.library.sqlite.checks import check_segment, check_vectors
from c2v.library.sqlite.lock import WRITER_LOCK, FileLock
from c2v.library.sqlite.reader import StoreReader
from c2v.library.sqlite.searcher import gone

_RESERVE = "reserve"
_RESERVE_BYTES = 256 << 10
"""Shared memory and log of a small removal."""
_WORTH_SHRINKING = 256 << 10


def _free_bytes(folder: Path | str) -> int:
    from shutil import disk_usage  # not while searching: it brings three compressors

    return disk_usage(folder).free


class SqliteStore(StoreReader):
    """Videos, segments, features and vectors of one folder; made by ``open`` or ``create``.

    Reading never needs a lock. Writing takes the writer lock for the duration of one call, or of
    a ``writer()`` block. Threads may share a library, one works at a time.
    """

    def __init__(self, directory: Path, *, create: bool, hnsw: HnswSettings) -> None:
        super().__init__(directory, create=create, hnsw=hnsw)
        self._lock = FileLock(directory / WRITER_LOCK)

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether ``open`` would find something there, sound or not.

        Raises:
            LibraryError: the folder cannot be looked into.
        """
        return opening.exists(directory)

    @classmethod
    def open(cls, directory: Path, *, hnsw: HnswSettings | None = None) -> SqliteStore:
        """Open an existing library, read-only where its medium is.

        Raises:
            LibraryError: there is none, it is damaged, of another program or of a newer c2v.
        """
        return cls(directory, create=False, hnsw=hnsw or HnswSettings())

    @classmethod
    def create(cls, directory: Path, *, hnsw: HnswSettings | None = None) -> SqliteStore:
        """Open a library, making it (and its folder) if there is none.

        Raises:
            LibraryError: what is there is damaged, of another program or of a newer c2v; or
                another process is making it.
            C2VError: the folder cannot be made.
        """
        settings = hnsw or HnswSettings()
        if opening.exists(directory):
            return cls(directory, create=False, hnsw=settings)
        opening.make_folder(directory)
        lock = FileLock(directory / WRITER_LOCK)
        lock.acquire()  # before there is a file: of two processes one makes it
        try:
            return cls(directory, create=not opening.exists(directory), hnsw=settings)
        finally:
            lock.release()

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- transactions ---------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator[None]:
        """An index run: keep other writers out, and bring the caches up to date at the end.

        Raises:
            LibraryError: another process is writing, the medium is read-only, or the library was
                deleted meanwhile.
            C2VError: at the end, the caches cannot be written; the library itself is whole.
        """
        with self._locked():
            yield
            self.refresh()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One commit for all writes of the block; faster when there are many small videos.

        Each write stays all or nothing. When an exception leaves the block, what was finished
        before is committed; after kill -9 the whole block is as if it had not been.
        """
        with self._locked(), self._database.batch():
            yield

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._database.lacks_room:
            raise NoRoomError(
                f"the library {self.directory} can only be read: no space is left on its disk, or "
                f"it fails ({self._database.read_only_because})",
                hint="free some space, or take videos out: c2v remove PATH",
            )
        if self.read_only:
            raise LibraryError(
                f"the library {self.directory} is read-only",
                hint="check the permissions of the folder, or choose another: --library DIR",
            )
        self._lock.acquire()
        try:
            if not self._database.is_in_place():
                raise gone(self.directory)
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self._locked(), self._database.writing():
            yield

    def refresh(self) -> None:
        """Bring the caches on disk up to date; cheap when they are.

        Raises:
            C2VError: they cannot be written; the library itself is whole.
        """
        with self._locked():
            self._keep_reserve()
            oldest = self._searcher.refresh()
            if oldest is not None and oldest > self._database.first_generation():
                with self._database.writing():
                    self._database.forget_generations(before=oldest)

    # -- model ----------------------------------------------------------------------------------

    def set_model(self, model: ModelRecord) -> None:
        """Say whose features and vectors are about to be stored.

        Raises:
            LibraryError: segments of another model are here (see replace_vectors and reset).
        """
        with self._change():
            present = self._database.model()
            if present == model:
                return
            if present is not None and self._segments.count() > 0:
                same_numbers = (present.fingerprint, present.feature_dim, present.vector_dim)
                if same_numbers != (model.fingerprint, model.feature_dim, model.vector_dim):
                    raise LibraryError(
                        f"the library {self.directory} was filled by model {present.name}, "
                        f"not {model.name}",
                        hint=f"index with --model {model.name} to change it, or search with "
                        f"--model {present.name}",
                    )
            self._database.write_model(model)

    def reset(self, model: ModelRecord) -> None:
        """Forget every video and start over with ``model`` (other towers: nothing can be kept)."""
        with self._change():
            self._videos.remove_all()
            self._notes.forget_calibrations()
            self._database.write_model(model)

    def replace_vectors(
        self,
        model: ModelRecord,
        vectors: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    ) -> int:
        """Give every segment the vector of a new head, in one transaction; returns how many.

        ``vectors`` yields ids [N] and vectors [N, V], all segments once, in any order, and may
        read ``all_features`` as it goes: neither side is ever held whole in memory. When it fails
        or is interrupted the library is as before. Segments whose features are damaged get no
        vector, and searches leave them out until their video is read again.

        Raises:
            LibraryError: the towers differ, so the stored features are of no use to this model.
            C2VError: vectors are missing, twice, or of a wrong shape.
        """
        with self._change():
            present = self._model_or_error()
            if present.towers_fingerprint != model.towers_fingerprint:
                raise LibraryError(
                    f"model {model.name} has other towers than {present.name}, which made the "
                    "stored features",
                    hint=f"index the videos afresh: c2v index --model {model.name} FOLDER",
                )
            self._segments.drop_vectors()
            count = 0
            for segment_ids, rows in vectors:
                check_vectors(segment_ids, rows, model)
                self._segments.write_vectors(segment_ids, rows)
                count += len(segment_ids)
            lacking = self._segments.without_vector().tolist()
            expected = self._segments.count() - len(lacking)
            if count != expected or self._segments.features(lacking, dim=model.feature_dim):
                expected += len(lacking)
                raise C2VError(f"model {model.name}: {count} vectors for {expected} segments")
            self._notes.forget_calibrations()
            self._database.write_model(model)
        self._database.checkpoint()
        return count

    # -- videos ---------------------------------------------------------------------------------

    def put_video(self, video: NewVideo, segments: Sequence[SegmentData]) -> int:
        """Store a video in place of whatever its path held, in one transaction; returns its id.

        Raises:
            C2VError: a segment does not fit the model, or the disk is full.
            LibraryError: no model was set, or another process is writing.
        """
        model = self._model_or_error()
        for segment in segments:
            check_segment(segment, model, video.path)
        with self._change():
            video_id = self._videos.put(video)
            for position, segment in enumerate(segments):
                self._segments.write(video_id, position, segment)
        return video_id

    def copy_video(self, video_id: int, *, path: str, size_bytes: int, mtime_ns: int) -> int:
        """A second file of the same content: it takes over features and vectors; returns its id.

        Raises:
            LibraryError: there is no video of that id.
        """
        with self._change():
            original = self._videos.by_id(video_id)
            if original is None:
                raise self._no_video(video_id)
            if path == original.path:
                self._videos.move([(video_id, path, size_bytes, mtime_ns)])
                return video_id
            copy = dataclasses.replace(
                original, path=path, size_bytes=size_bytes, mtime_ns=mtime_ns
            )
            copy_id = self._videos.put(copy)
            self._segments.copy(video_id, copy_id)
            self._notes.copy_tags(video_id, copy_id)
        return copy_id

    def move_videos(self, moves: Iterable[tuple[int, str, int, int]]) -> int:
        """Files that are elsewhere, or have another time stamp, now; their vectors stay.

        Args:
            moves: id, path, size in bytes and mtime in ns of each. What a path held before goes,
                unless it is among those that move: two files may trade their names.

        Returns:
            How many of the ids there were.
        """
        with self._change():
            return self._videos.move(moves)

    def remove_videos(self, video_ids: Iterable[int]) -> int:
        """Forget these videos and all that belongs to them; returns how many there were.

        On a full disk the reserve and the caches make room for it.

        Raises:
            NoRoomError: even so there is none.
        """
        doomed = list(video_ids)
        if not self._database.lacks_room:
            try:
                return self._remove(doomed)
            except NoRoomError:
                pass  # SQLite has undone it
        self._make_room()
        try:
            return self._remove(doomed)
        except NoRoomError as error:
            raise NoRoomError(
                f"no space is left on the disk of the library {self.directory}, not even to take "
                f"videos out of it ({error.message})",
                hint="free a megabyte there and run the same command again",
            ) from error

    def _remove(self, video_ids: Sequence[int]) -> int:
        with self._change():
            return self._videos.remove(video_ids)

    def _make_room(self) -> None:
        """Give up what can be made again, and open the database anew if it could only be read."""
        with suppress(OSError):  # what cannot be deleted makes no room
            (self.directory / _RESERVE).unlink(missing_ok=True)
        if self._database.lacks_room:
            self._database.reopen()
        with suppress(OSError):
            self._searcher.caches.delete()
        if self._database.lacks_room:
            self._database.reopen()

    def _keep_reserve(self) -> None:
        """Have the reserve, unless the disk is nearly full: then it is somebody else's turn."""
        path = self.directory / _RESERVE
        with suppress(OSError):
            if not path.exists() and _free_bytes(self.directory) > 2 * _RESERVE_BYTES:
                with replacing(path) as file:
                    file.write(bytes(_RESERVE_BYTES))

    def bytes_to_give_back(self) -> int:
        """What ``shrink`` would give back to the disk; 0 where it does not pay or has no room."""
        free, size = self._database.free_bytes()
        if self.read_only or free < _WORTH_SHRINKING or free < size // 2:
            return 0
        # The new file is written beside the old one, by way of SQLite's temporary files.
        from tempfile import gettempdir  # not while searching: it costs milliseconds

        try:
            room = min(_free_bytes(self.directory), _free_bytes(gettempdir()))
        except OSError:
            return 0  # no folder for temporary files: then it cannot be done
        return free if room > 3 * (size - free) else 0

    def shrink(self) -> None:
        """Write the database anew without the room that removed videos took.

        Raises:
            NoRoomError: there is none to do so; the library is as before.
            LibraryError: another process is writing.
        """
        with self._locked():
            self._database.vacuum()

    def record_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        """This file, in this state, cannot be indexed: it need not be tried until it changes."""
        with self._change():
            self._videos.write_failure(
                path, size_bytes=size_bytes, mtime_ns=mtime_ns, reason=reason
            )

    def clear_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of these paths (the files are gone, or are to be tried again)."""
        with self._change():
            self._videos.clear_failures(paths)

    # -- notes ----------------------------------------------------------------------------------

    def write_tags(self, tags: Iterable[Tag]) -> None:
        """Give videos these tags; one by hand is changed by one by hand alone.

        Raises:
            LibraryError: there is no video of that id.
        """
        given = list(tags)
        with self._change():
            for video_id in {tag.video_id for tag in given}:
                if self._videos.by_id(video_id) is None:
                    raise self._no_video(video_id)
            self._notes.write_tags(given)

    def remove_tags(
        self,
        names: Sequence[str] | None = None,
        *,
        video_ids: Sequence[int] | None = None,
        by_hand: bool = True,
    ) -> int:
        """Take away tags of these names (None: any) from these videos (None: all)."""
        with self._change():
            return self._notes.remove_tags(names, video_ids, by_hand=by_hand)

    def tell_apart(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember that these contents are no duplicates, in either order."""
        with self._change():
            self._notes.tell_apart(pairs)

    def forget_told_apart(self, pairs: Iterable[tuple[str, str]]) -> int:
        """The contrary of ``tell_apart``; returns how many of the pairs there were."""
        with self._change():
            return self._notes.forget_told_apart(pairs)

    def write_calibration(self, name: str, value: object) -> None:
        """Keep what was measured with the present vectors; ``value`` is anything JSON can hold."""
        with self._change():
            self._notes.write_calibration(name, value)

    def _no_video(self, video_id: int) -> LibraryError:
        return LibraryError(f"the library {self.directory} has no video number {video_id}")
