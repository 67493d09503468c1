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
from c2v.library.lines import SubtitleData
from c2v.library.records import HnswSettings, ModelRecord, NewVideo, SegmentData, Tag
from c2v.library.refusals import check_towers
from c2v.library.sqlite import opening
from c2v.library.sqlite.checks import check_segment, check_vectors
from c2v.library.sqlite.lock import WRITER_LOCK, FileLock
from c2v.library.sqlite.reader import StoreReader
from c2v.library.sqlite.searcher import gone

_WORTH_SHRINKING = 256 << 10


class SqliteStore(StoreReader):
    """The :class:`~c2v.library.store.Store` of one folder; made by ``open`` or ``create``.

    What its methods promise is said there. Writing takes the writer lock for the duration of one
    call, or of a ``writer`` block.
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
        with self._locked():
            yield
            self.refresh()

    @contextmanager
    def batch(self) -> Iterator[None]:
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
        from c2v.library.sqlite.reserve import keep_reserve

        with self._locked():
            keep_reserve(self.directory)
            oldest = self._searcher.refresh()
            if oldest is not None and oldest > self._database.first_generation():
                with self._database.writing():
                    self._database.forget_generations(before=oldest)

    # -- model ----------------------------------------------------------------------------------

    def set_model(self, model: ModelRecord) -> None:
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
        with self._change():
            self._videos.remove_all()
            self._notes.forget_calibrations()
            self._database.write_model(model)

    def replace_vectors(
        self,
        model: ModelRecord,
        vectors: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    ) -> int:
        with self._change():
            check_towers(self, model.name, model.towers_fingerprint)
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
        model = self._model_or_error()
        for segment in segments:
            check_segment(segment, model, video.path)
        with self._change():
            video_id = self._videos.put(video)
            for position, segment in enumerate(segments):
                self._segments.write(video_id, position, segment)
        return video_id

    def copy_video(self, video_id: int, *, path: str, size_bytes: int, mtime_ns: int) -> int:
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
            self._lines.copy(video_id, copy_id)
        return copy_id

    def move_videos(self, moves: Iterable[tuple[int, str, int, int]]) -> int:
        with self._change():
            return self._videos.move(moves)

    def remove_videos(self, video_ids: Iterable[int]) -> int:
        # On a full disk the reserve and the caches make room for it.
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
        from c2v.library.sqlite.reserve import give_up_reserve

        give_up_reserve(self.directory)
        if self._database.lacks_room:
            self._database.reopen()
        with suppress(OSError):
            self._searcher.caches.delete()
        if self._database.lacks_room:
            self._database.reopen()

    def bytes_to_give_back(self) -> int:
        free, size = self._database.free_bytes()
        if self.read_only or free < _WORTH_SHRINKING or free < size // 2:
            return 0
        from c2v.library.sqlite.reserve import room_to_copy

        return free if room_to_copy(self.directory) > 3 * (size - free) else 0

    def shrink(self) -> None:
        with self._locked():
            self._database.vacuum()

    def record_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        with self._change():
            self._videos.write_failure(
                path, size_bytes=size_bytes, mtime_ns=mtime_ns, reason=reason
            )

    def clear_failures(self, paths: Iterable[str]) -> None:
        with self._change():
            self._videos.clear_failures(paths)

    # -- subtitles ------------------------------------------------------------------------------

    def write_subtitles(self, video_id: int, subtitles: Sequence[SubtitleData]) -> None:
        with self._change():
            if self._videos.by_id(video_id) is None:
                raise self._no_video(video_id)
            for subtitle in subtitles:
                self._lines.write(video_id, subtitle)

    def forget_subtitles(self, video_id: int, paths: Iterable[str]) -> None:
        with self._change():
            self._lines.forget(video_id, paths)

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
