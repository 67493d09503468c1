"""What a library is to everybody else: one protocol, whatever keeps the rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from c2v.library.filters import Filter
from c2v.library.lines import SaidLine, SubtitleData, SubtitleState
from c2v.library.records import (
    Counts,
    FailureRecord,
    FeatureBatch,
    ModelRecord,
    Nearest,
    NewVideo,
    SegmentData,
    SegmentRow,
    StorageSizes,
    Tag,
    VideoRecord,
)

SegmentIds = Sequence[int] | NDArray[np.int64]


class Store(Protocol):
    """Videos, segments, frame features and vectors of one library; made by ``open_store``.

    Reading never waits. Writing keeps other writers out for the duration of one call, or of a
    ``writer`` block. Threads may share a store, one works at a time. A video keeps its id for as
    long as it is in the library; ids of segments are never used twice.
    """

    def __enter__(self) -> Store: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def close(self) -> None:
        """Let go of it; the object is of no use afterwards."""

    @property
    def address(self) -> str:
        """Where it is, as it is shown and as ``open_store`` takes it."""

    @property
    def number(self) -> str:
        """A random number in hexadecimal digits that this library was given when it was made."""

    @property
    def model(self) -> ModelRecord | None:
        """The model whose vectors are here; None until ``set_model``."""

    # -- transactions ---------------------------------------------------------------------------

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads of the block see one state, whatever other processes write meanwhile."""

    def writer(self) -> AbstractContextManager[None]:
        """An index run: keep other writers out, and leave everything fast to search at the end.

        Raises:
            LibraryError: another process is writing, the medium is read-only, or the library was
                deleted meanwhile.
            C2VError: at the end, the caches cannot be written; the library itself is whole.
        """

    def batch(self) -> AbstractContextManager[None]:
        """One commit for all writes of the block; faster when there are many small videos.

        Each write stays all or nothing. When an exception leaves the block, what was finished
        before is committed; after kill -9 the whole block is as if it had not been.
        """

    # -- writing --------------------------------------------------------------------------------

    def set_model(self, model: ModelRecord) -> None:
        """Say whose features and vectors are about to be stored.

        Raises:
            LibraryError: segments of another model are here (see replace_vectors and reset).
        """

    def reset(self, model: ModelRecord) -> None:
        """Forget every video and start over with ``model`` (other towers: nothing can be kept)."""

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

    def put_video(self, video: NewVideo, segments: Sequence[SegmentData]) -> int:
        """Store a video in place of whatever its path held, in one transaction; returns its id.

        Raises:
            C2VError: a segment does not fit the model, or the disk is full.
            LibraryError: no model was set, or another process is writing.
        """

    def copy_video(self, video_id: int, *, path: str, size_bytes: int, mtime_ns: int) -> int:
        """A second file of the same content: it takes over features and vectors; returns its id.

        Raises:
            LibraryError: there is no video of that id.
        """

    def move_videos(self, moves: Iterable[tuple[int, str, int, int]]) -> int:
        """Files that are elsewhere, or have another time stamp, now; their vectors stay.

        Args:
            moves: id, path, size in bytes and mtime in ns of each. What a path held before goes,
                unless it is among those that move: two files may trade their names.

        Returns:
            How many of the ids there were.
        """

    def remove_videos(self, video_ids: Iterable[int]) -> int:
        """Forget these videos and all that belongs to them; returns how many there were.

        Raises:
            NoRoomError: the disk is so full that not even this can be done.
        """

    def record_failure(self, path: str, *, size_bytes: int, mtime_ns: int, reason: str) -> None:
        """This file, in this state, cannot be indexed: it need not be tried until it changes."""

    def clear_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of these paths (the files are gone, or are to be tried again)."""

    def write_subtitles(self, video_id: int, subtitles: Sequence[SubtitleData]) -> None:
        """Store the lines of subtitle files, each in place of what was read of that file before.

        ``put_video`` forgets all subtitles of what its path held; a copy has those of its original.

        Raises:
            LibraryError: there is no video of that id, or this store keeps no lines.
        """

    def forget_subtitles(self, video_id: int, paths: Iterable[str]) -> None:
        """Forget what was read of these subtitle files of a video."""

    def write_tags(self, tags: Iterable[Tag]) -> None:
        """Give videos these tags; one by hand is changed by one by hand alone.

        A video keeps its tags when it is indexed again; where its content is another by then, only
        those by hand. A copy has those of its original.

        Raises:
            LibraryError: there is no video of that id.
        """

    def remove_tags(
        self,
        names: Sequence[str] | None = None,
        *,
        video_ids: Sequence[int] | None = None,
        by_hand: bool = True,
    ) -> int:
        """Take away tags of these names (None: any) from these videos (None: all).

        Args:
            by_hand: whether those that a person gave go too.

        Returns:
            How many there were.
        """

    def tell_apart(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Remember that these contents (``content_id``) are no duplicates, in either order."""

    def forget_told_apart(self, pairs: Iterable[tuple[str, str]]) -> int:
        """The contrary of ``tell_apart``; returns how many of the pairs there were."""

    def write_calibration(self, name: str, value: object) -> None:
        """Keep what was measured with the present vectors; ``value`` is anything JSON can hold.

        Every calibration is forgotten when the library gets another model.
        """

    def bytes_to_give_back(self) -> int:
        """What ``shrink`` would give back to the disk; 0 where it does not pay or has no room."""

    def shrink(self) -> None:
        """Write the library anew without the room that removed videos took.

        Raises:
            NoRoomError: there is none to do so; the library is as before.
            LibraryError: another process is writing.
        """

    # -- reading --------------------------------------------------------------------------------

    def videos(self, *, under: str | os.PathLike[str] | None = None) -> list[VideoRecord]:
        """All videos by path, or those in the folder ``under`` and below."""

    def video_paths(self) -> list[tuple[int, str]]:
        """Id and path of every video: a tenth of the time of ``videos`` where that is enough."""

    def video_by_path(self, path: str | os.PathLike[str]) -> VideoRecord | None:
        """The video at exactly this absolute path."""

    def partly_read(self) -> list[VideoRecord]:
        """Videos of which not everything could be read (``problems``), by path."""

    def failures(self) -> list[FailureRecord]:
        """Files that could not be indexed and folders that could not be looked into, by path."""

    @property
    def keeps_lines(self) -> bool:
        """Whether lines of subtitles can be kept and asked for."""

    def subtitles(self) -> dict[int, list[SubtitleState]]:
        """As which files the subtitles of each video were read, by its id."""

    def tags(self, video_ids: Sequence[int] | None = None) -> list[Tag]:
        """The tags of these videos, or of all, by video and name."""

    def told_apart(self) -> set[tuple[str, str]]:
        """Pairs of contents that are no duplicates, the smaller id first."""

    def calibration(self, name: str) -> object | None:
        """What ``write_calibration`` kept under this name; None when there is nothing."""

    def counts(self) -> Counts:
        """How much of everything."""

    def storage_sizes(self) -> StorageSizes:
        """Bytes on disk."""

    def segments_of(self, video_ids: Sequence[int]) -> dict[int, tuple[SegmentRow, ...]]:
        """The segments of each video in time order; an unknown video has none."""

    def segment_rows(self, segment_ids: SegmentIds) -> dict[int, SegmentRow]:
        """Where these segments are; those of the ids that exist."""

    def features(
        self, segment_ids: SegmentIds
    ) -> dict[int, tuple[NDArray[np.float32], NDArray[np.float16]]]:
        """Frame times [T] in seconds and features [T, D] of those of the ids that exist.

        Raises:
            DamagedRowsError: some are not what was written.
        """

    def vectors(self, segment_ids: SegmentIds) -> dict[int, NDArray[np.float32]]:
        """Head vectors [V] of those of the ids that exist.

        Raises:
            DamagedRowsError: some are not what was written.
        """

    def all_features(self, *, batch_size: int = 256) -> Iterator[FeatureBatch]:
        """All sound frame features by segment id, ``batch_size`` segments at a time."""

    # -- searching ------------------------------------------------------------------------------

    def nearest(
        self,
        queries: NDArray[np.float32],
        k: int,
        *,
        strategy: str = "auto",
        where: Filter | None = None,
    ) -> Nearest:
        """The k segments of highest inner product for each query.

        Args:
            queries: [Q, V], unit length.
            k: how many for each; fewer come back where there are fewer.
            strategy: ``exact`` scans every vector, ``hnsw`` asks the graph (and builds it if need
                be), ``auto`` takes what is faster now; the answer says which was used.
            where: only segments of videos that pass may be found.

        Raises:
            LibraryError: the queries are of another model.
            UsageError: an unknown strategy, or a negative k.
            PatternError: a pattern of ``where`` that means nothing at all.
        """

    def said(
        self, where: Filter, *, limit: int, video_ids: Sequence[int] | None = None
    ) -> list[SaidLine]:
        """Lines in which all of ``where.said`` is, of videos that pass the rest of the filter.

        The best first (BM25: rare words count more, and so do short lines), equal ones as they were
        stored. Letters count without their case and accents; in scripts without spaces between
        words any part of a sentence is found.

        Args:
            where: of nothing that has to be said, or of no word, no line comes.
            limit: how many lines at most.
            video_ids: only of these videos; None of all.

        Raises:
            LibraryError: this store keeps no lines.
            PatternError: a pattern of ``where`` that means nothing at all.
        """

    def unmatched(self, where: Filter) -> list[str]:
        """Those of the filter's paths and patterns that mean no video of this library.

        Raises:
            PatternError: one that means nothing at all.
        """

    def passing(self, where: Filter) -> tuple[int, int]:
        """How many videos pass, and how many there are.

        Raises:
            PatternError: a pattern that means nothing at all.
        """

    def warm(self) -> None:
        """Load what makes later searches of this process fast (a server, a batch of queries)."""

    @property
    def slower_because(self) -> str:
        """A line on why searches of this library are slower than they could be; mostly empty."""

    def graph_not_kept(self) -> str:
        """Why the graph of a search was built for it alone and not saved; "" when all is well."""

    # -- damage ---------------------------------------------------------------------------------

    def leave_out(self, segment_ids: Sequence[int]) -> None:
        """Let searches leave these segments out: their rows are damaged (see DamagedRowsError).

        All damaged segments of the same videos are left out with them.
        """

    def left_out(self) -> list[str]:
        """Paths of the videos of which searches leave segments out, as far as is known."""

    def paths_without_vector(self) -> list[str]:
        """Paths of videos of which segments have no head vector: their features are damaged."""

    def damaged_videos(self, video_ids: Sequence[int]) -> set[int]:
        """Those of the videos whose rows are damaged, as far as a look at few of them tells."""

    def problems(self) -> list[str]:
        """Check all that is stored, caches included; what is wrong, in sentences."""
