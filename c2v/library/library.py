"""The library: what a user's videos became, on disk, behind one object.

A library is a folder: ``library.db`` (SQLite, the truth), ``cache/`` (matrix and graph, which can
be deleted at any time) and two lock files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from c2v.errors import C2VError, LibraryError, UsageError
from c2v.library.checks import check_segment, check_vectors
from c2v.library.database import Database
from c2v.library.lock import WRITER_LOCK, FileLock
from c2v.library.records import (
    Counts,
    FailureRecord,
    FeatureBatch,
    HnswSettings,
    ModelRecord,
    Nearest,
    SegmentData,
    SegmentRecord,
    StorageSizes,
    Strategy,
    VideoData,
    VideoRecord,
)
from c2v.library.searcher import Searcher
from c2v.library.segment_table import SegmentTable
from c2v.library.video_table import VideoTable

_CACHE_NAMES = {"matrix": "matrix*", "hnsw": "hnsw*"}


class Library:
    """Videos, segments, features and vectors of one folder; made by ``open`` or ``create``.

    Reading never needs a lock. Writing takes the writer lock for the duration of one call, or of
    a ``writing()`` block. Threads may share a library, one works at a time.
    """

    def __init__(self, directory: Path, *, create: bool, hnsw: HnswSettings) -> None:
        self.directory = directory
        self._database = Database(directory, create=create)
        self._videos = VideoTable(self._database)
        self._segments = SegmentTable(self._database)
        self._searcher = Searcher(directory, self._database, hnsw)
        self._lock = FileLock(directory / WRITER_LOCK)

    @classmethod
    def open(cls, directory: Path, *, hnsw: HnswSettings | None = None) -> Library:
        """Open an existing library, read-only where its medium is.

        Raises:
            LibraryError: there is none, it is damaged, of another program or of a newer c2v.
        """
        return cls(directory, create=False, hnsw=hnsw or HnswSettings())

    @classmethod
    def create(cls, directory: Path, *, hnsw: HnswSettings | None = None) -> Library:
        """Open a library, making it (and its folder) if there is none.

        Raises:
            LibraryError: what is there is damaged, of another program or of a newer c2v.
            C2VError: the folder cannot be made.
        """
        return cls(directory, create=True, hnsw=hnsw or HnswSettings())

    def close(self) -> None:
        """Close the database; the object is of no use afterwards."""
        self._database.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def read_only(self) -> bool:
        """Whether the medium allows no change."""
        return self._database.read_only

    # -- transactions ---------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other writers out for the whole block (an index run); may be nested.

        Raises:
            LibraryError: another process is writing, or the medium is read-only.
        """
        if self.read_only:
            raise LibraryError(
                f"the library {self.directory} is read-only",
                hint="check the permissions of the folder, or choose another: --library DIR",
            )
        self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One commit for all writes of the block; faster when there are many small videos.

        Each write stays all or nothing. When an exception leaves the block, what was finished
        before is committed; after kill -9 the whole block is as if it had not been.
        """
        with self.writing(), self._database.batch():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of the block see one state, whatever other processes write meanwhile."""
        with self._database.reading():
            yield

    @contextmanager
    def _change(self) -> Iterator[None]:
        with self.writing(), self._database.writing():
            yield

    # -- model ----------------------------------------------------------------------------------

    @property
    def model(self) -> ModelRecord | None:
        """The model whose vectors are here; None until ``set_model``."""
        return self._database.model()

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
                same = present.fingerprint == model.fingerprint
                if not same or present.vector_dim != model.vector_dim:
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
            self._database.write_model(model)

    def _model_or_error(self) -> ModelRecord:
        model = self._database.model()
        if model is None:
            raise LibraryError(
                f"the library {self.directory} is empty", hint="fill it: c2v index FOLDER"
            )
        return model

    # -- videos ---------------------------------------------------------------------------------

    def videos(self, *, under: str | None = None) -> list[VideoRecord]:
        """All videos by path, or those in the folder ``under`` and below (not ``under`` itself)."""
        return self._videos.all(under=under)

    def video_by_path(self, path: str) -> VideoRecord | None:
        """The video at exactly this absolute path."""
        return self._videos.by_path(path)

    def videos_by_content(self, content_id: str) -> list[VideoRecord]:
        """Videos of this content: the original and its copies, by path."""
        return self._videos.by_content(content_id)

    def videos_by_id(self, video_ids: Sequence[int]) -> dict[int, VideoRecord]:
        """Those of the ids that exist."""
        return self._videos.by_id(video_ids)

    def put_video(self, video: VideoData, segments: Sequence[SegmentData]) -> int:
        """Store a video in place of whatever its path held, in one transaction; returns its id.

        Raises:
            C2VError: a segment does not fit the model, or the disk is full.
            LibraryError: no model was set, or another process is writing.
        """
        model = self._model_or_error()
        for segment in segments:
            check_segment(segment, model, video.path)
        with self._change():
            video_id = self._videos.replace(video)
            for position, segment in enumerate(segments):
                self._segments.write(video_id, position, segment)
        return video_id

    def move_video(self, video_id: int, *, path: str, size_bytes: int, mtime_ns: int) -> bool:
        """The file is somewhere else now; features and vectors stay. False if unknown."""
        with self._change():
            return self._videos.move(video_id, path, size_bytes=size_bytes, mtime_ns=mtime_ns)

    def touch_video(self, video_id: int, *, size_bytes: int, mtime_ns: int) -> bool:
        """Same content, other size or time stamp on disk. False if unknown."""
        with self._change():
            return self._videos.touch(video_id, size_bytes=size_bytes, mtime_ns=mtime_ns)

    def remove_videos(self, video_ids: Iterable[int]) -> int:
        """Forget these videos and all that belongs to them; returns how many there were."""
        with self._change():
            return self._videos.remove(video_ids)

    def record_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        """This file, in this state, cannot be indexed: do not try it again until it changes."""
        with self._change():
            self._videos.write_failure(
                path, size_bytes=size_bytes, mtime_ns=mtime_ns, reason=reason
            )

    def clear_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of these paths (the files are gone, or are to be tried again)."""
        with self._change():
            self._videos.clear_failures(paths)

    def failures(self) -> list[FailureRecord]:
        """Files that could not be indexed, by path."""
        return self._videos.failures()

    def counts(self) -> Counts:
        """How much of everything."""
        with self.snapshot():
            return self._videos.counts()

    def sizes(self) -> StorageSizes:
        """Bytes on disk."""
        database = self._database.path
        around = [path for path in database.parent.glob(database.name + "*") if path.is_file()]
        cache = {
            kind: sum(path.stat().st_size for path in self._searcher.caches.folder.glob(pattern))
            for kind, pattern in _CACHE_NAMES.items()
        }
        return StorageSizes(
            database_bytes=sum(path.stat().st_size for path in around),
            matrix_bytes=cache["matrix"],
            hnsw_bytes=cache["hnsw"],
        )

    # -- segments -------------------------------------------------------------------------------

    def segments_of(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRecord, ...]]:
        """The segments of each video in time order; an unknown video has none."""
        return self._segments.of_videos(video_ids)

    def segments_by_id(self, segment_ids: Sequence[int]) -> dict[int, SegmentRecord]:
        """Those of the ids that exist."""
        return self._segments.by_id(segment_ids)

    def segment_ids_of(self, video_ids: Sequence[int]) -> NDArray[np.int64]:
        """Ids of all segments of these videos, ascending: what ``nearest`` takes as a filter."""
        return self._segments.ids_of_videos(video_ids)

    def features(self, segment_ids: Sequence[int]) -> dict[int, NDArray[np.float16]]:
        """Frame features [T, D] of those of the ids that exist."""
        model = self._database.model()
        if model is None:
            return {}
        return self._segments.features(segment_ids, dim=model.feature_dim)

    def vectors(self, segment_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Head vectors [V] of those of the ids that exist."""
        model = self._database.model()
        if model is None:
            return {}
        return self._segments.vectors(segment_ids, dim=model.vector_dim)

    def feature_batches(self, *, segments: int = 256) -> Iterator[FeatureBatch]:
        """All frame features in batches, by segment id: the input of a re-embedding."""
        model = self._model_or_error()
        return self._segments.feature_batches(dim=model.feature_dim, segments=segments)

    def replace_vectors(
        self,
        model: ModelRecord,
        vectors: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    ) -> int:
        """Give every segment the vector of a new head, in one transaction; returns how many.

        ``vectors`` yields ids [N] and vectors [N, V], all segments once, in any order, and may
        read ``feature_batches`` as it goes: neither side is ever held whole in memory. When it
        fails or is interrupted the library is as before.

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
            expected = self._segments.count()
            if count != expected:
                raise C2VError(f"model {model.name}: {count} vectors for {expected} segments")
            self._database.write_model(model)
        self._database.checkpoint()
        return count

    # -- searching ------------------------------------------------------------------------------

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        strategy: Strategy = "auto",
        segment_ids: NDArray[np.int64] | None = None,
    ) -> Nearest:
        """The k segments of highest inner product for each query.

        Args:
            queries: [Q, V], unit length.
            k: how many for each; fewer come back where there are fewer.
            strategy: ``exact`` scans every vector, ``hnsw`` asks the graph (and builds it if need
                be), ``auto`` takes what is faster now; the answer says which was used.
            segment_ids: only these may be found (see ``segment_ids_of``).

        Raises:
            LibraryError: the queries are of another model.
        """
        if k < 1:
            raise UsageError(f"{k} results were asked for; ask for at least 1")
        return self._searcher.nearest(queries, k, strategy=strategy, segment_ids=segment_ids)

    def warm(self) -> None:
        """Load what makes later searches of this process fast (a server, a batch of queries)."""
        self._searcher.warm(graph=True)

    def refresh(self) -> None:
        """Bring the caches on disk up to date: the end of an index run, now and then during it.

        Raises:
            C2VError: they cannot be written; the library itself is whole.
        """
        with self.writing():
            oldest = self._searcher.refresh()
            with self._database.writing():
                self._database.forget_generations(before=oldest)

    def problems(self) -> list[str]:
        """Check the database and compare every cached vector with it; empty when all is well."""
        return self._database.problems() or self._searcher.problems()
