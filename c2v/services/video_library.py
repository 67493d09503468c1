"""One library of videos behind one object: what the command line and scripts work with."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from typing import TYPE_CHECKING

from c2v.config import Settings
from c2v.services.places import StrPath, expanded_path, several
from c2v.services.telling import Tell, Telling, log_notice, log_problem
from c2v.services.workspace import Workspace

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from c2v.indexing.report import IndexReport
    from c2v.library import Store, VideoRecord
    from c2v.search.duplicates import Duplicates
    from c2v.search.results import Answer
    from c2v.services.as_typed import AsTyped
    from c2v.services.clustering import Clustering
    from c2v.services.filling import IndexArguments
    from c2v.services.finetuning import Screen, Wish
    from c2v.services.last_answer import LastMoment
    from c2v.services.mapping import LibraryMap
    from c2v.services.measuring import EvaluateArguments
    from c2v.services.reports import Comparison, Description, Removed, Status
    from c2v.services.tagging import TagArguments, Tagging, TagList
    from c2v.services.tuned import Tuned
    from c2v.services.tuning import TuneArguments
    from c2v.services.wanted import Wanted
    from c2v.training.run import Finetuned


class VideoLibrary:
    """A library of videos, and the encoder it is searched with; made by :func:`c2v.open`.

    Nothing is opened or loaded before it is needed. Threads may share one object: each encoder is
    loaded once. Use it as a context manager, or call :meth:`close`.

    Every method raises :class:`c2v.errors.LibraryError` where there is no library, or it is empty
    and would have to be searched, :class:`c2v.errors.ModelError` where its encoder is not on this
    machine, and :class:`c2v.errors.UsageError` for arguments that cannot be understood.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        asked_for: bool = True,
        on_notice: Tell = log_notice,
        on_problem: Tell = log_problem,
    ) -> None:
        """Work on the library of ``settings``.

        Args:
            settings: resolved already, see :func:`c2v.config.load_settings`.
            asked_for: somebody named this library, so what could do without has to find it.
            on_notice: told in a line what is good to know.
            on_problem: told in a line what was left out or could not be done.
        """
        telling = Telling(on_notice, on_problem)
        self._space = Workspace(settings, telling, asked_for=asked_for)

    def __repr__(self) -> str:
        return f"VideoLibrary({self.settings.library!r})"

    def __enter__(self) -> VideoLibrary:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the library; the next call would open it again."""
        self._space.close()

    @property
    def settings(self) -> Settings:
        """What holds for every call."""
        return self._space.settings

    @property
    def exists(self) -> bool:
        """Whether there is a library to be opened, sound or not."""
        return self._space.exists

    @property
    def store(self) -> Store:
        """The library itself, opened at the first use.

        Raises:
            LibraryError: there is none, or it is damaged.
        """
        return self._space.store

    # -- filling ------------------------------------------------------------------------------

    def index(
        self, paths: Iterable[StrPath] | StrPath, **how: Unpack[IndexArguments]
    ) -> IndexReport:
        """Bring the library up to date with folders and files; make it if there is none.

        Args:
            paths: folders and files; ``~`` is the home folder.
            how: see :class:`c2v.services.filling.IndexArguments`.

        Returns:
            What was done. Failures of single files are in it, not raised.

        Raises:
            LibraryError: another process is writing, or the library is of other towers.
            C2VError: none of the paths exists.
        """
        from c2v.services.filling import fill

        return fill(self._space, [expanded_path(path) for path in several(paths)], how)

    def remove(
        self,
        paths: Iterable[StrPath] | StrPath,
        *,
        dry_run: bool = False,
        confirm: Callable[[Sequence[VideoRecord]], None] | None = None,
    ) -> Removed:
        """Forget videos, and files that failed: they leave the library, not the disk.

        Args:
            paths: videos, folders with all below, or path patterns.
            dry_run: only say what would be removed.
            confirm: told which videos are about to be forgotten; raising stops it. Where only
                failures are it is not asked: the next index finds them again.

        Raises:
            DataError: one of the paths means nothing in the library.
        """
        from c2v.services.removing import remove

        return remove(self._space, _typed(paths), dry_run=dry_run, confirm=confirm)

    # -- asking -------------------------------------------------------------------------------

    def search(self, query: str | None = None, **wanted: Unpack[Wanted]) -> Answer:
        """The moments that show what is asked for, the best first.

        Args:
            query: a sentence; None where ``image``, ``video``, ``like`` or ``and_`` ask.
            wanted: other parts of the question, filters, and what of the ranking is wanted, see
                :class:`c2v.services.wanted.Wanted`.

        What was asked before is not embedded again: the numbers, not the sentence, are kept in a
        cache on disk.

        Raises:
            MediaError: nothing of a picture or a clip can be read.
        """
        from c2v.services.searching import search_one

        return search_one(self._space, query, wanted)

    def search_many(self, queries: Sequence[str], **wanted: Unpack[Wanted]) -> list[Answer]:
        """An answer for each of some sentences, embedded and ranked together."""
        from c2v.services.searching import search_texts

        return search_texts(self._space, queries, wanted)

    def search_lines(
        self,
        source: BufferedReader,
        *,
        on_bad: Callable[[int, str], None],
        **wanted: Unpack[Wanted],
    ) -> Iterator[list[Answer]]:
        """Answer every line of ``source``, a group of those that came together at a time.

        ``on_bad`` is told the number (from 1) of each line that is no text, and why.
        """
        from c2v.services.query_stream import answer_lines

        return answer_lines(self._space, source, wanted, on_bad=on_bad)

    def as_typed(self, **wanted: Unpack[Wanted]) -> AsTyped:
        """What answers a question again with every letter that is typed; everything is made ready.

        ``wanted`` holds for every answer.
        """
        from c2v.services.as_typed import AsTyped

        return AsTyped(self._space, wanted)

    def similar(self, path: StrPath, **wanted: Unpack[Wanted]) -> Answer:
        """The moments of other videos that look like this one, the best first.

        Args:
            path: a file, or ``FILE@TIME`` for the shot at a time, or ``FILE@FROM-TO``. What the
                library holds as it is on disk now is not opened again.
            wanted: see :class:`c2v.services.wanted.Wanted`.

        The video itself and files of the same content are left out.

        Raises:
            MediaError: nothing of the file can be read.
        """
        from c2v.services.similar import similar_to

        return similar_to(self._space, path, wanted)

    def duplicates(
        self,
        paths: Iterable[StrPath] | StrPath = (),
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Duplicates:
        """Groups of videos that show the same: in another size, codec, container, or cut.

        Args:
            paths: videos, folders with all below, or path patterns; none means all.
            on_progress: told how many pairs were looked at, of how many; from any thread.

        Raises:
            DataError: one of the paths means no video of the library.
        """
        from c2v.services.duplicates import find_duplicates

        return find_duplicates(self._space, _typed(paths), on_progress or _told)

    def tell_apart(self, paths: Iterable[StrPath] | StrPath, *, undo: bool = False) -> int:
        """Remember that these videos are no duplicates of each other, or forget that (``undo``).

        Returns:
            How many pairs it concerns.

        Raises:
            DataError: one of the paths means no video of the library.
            UsageError: there are not two contents among them.
        """
        from c2v.services.duplicates import tell_apart

        return tell_apart(self._space, _typed(paths), undo=undo)

    def keep(self, answer: Answer) -> None:
        """Let this be the last answer of the library, of which :meth:`last` gives results.

        Ids and times are kept in the cache folder, never the question. Nothing of a search
        depends on it: where it cannot be written, one notice says so.
        """
        from c2v.services.last_answer import keep_or_tell

        keep_or_tell(self._space, answer)

    def last(self, rank: int) -> LastMoment:
        """Result ``rank`` (from 1) of the answer that was kept last, where its video is now.

        Raises:
            DataError: no answer was kept, there is no such result, or its video has left the
                library.
        """
        from c2v.services.last_answer import recall

        return recall(self.store, rank)

    def describe(
        self,
        path: StrPath,
        labels: Sequence[str],
        *,
        top: int = 10,
        min_score: float | None = None,
        model: str | None = None,
        moments: bool = False,
    ) -> Description:
        """Rank sentences by how well they describe a video, which need not be in the library.

        The encoder is ``model``, else the library's own if there is one, else the default. A file
        that the library holds as it is on disk now is not opened again. With ``moments`` also
        each part of it in which frames look alike is described.

        Raises:
            MediaError: nothing of the file can be read.
        """
        from c2v.services.describing import describe_video

        return describe_video(
            self._space, path, labels, top=top, min_score=min_score, model=model, moments=moments
        )

    # -- putting it in order; DataError where a path means no video of the library ----------------

    def tag(self, paths: Iterable[StrPath] | StrPath = (), **how: Unpack[TagArguments]) -> Tagging:
        """Tag the videos that ``paths`` mean (of none, all) with the labels that fit them.

        ``how`` is described in :class:`c2v.services.tagging.TagArguments`.
        """
        from c2v.services.tagging import tag_videos

        return tag_videos(self._space, paths, how)

    def tags(self, paths: Iterable[StrPath] | StrPath = ()) -> TagList:
        """The tags of the videos that ``paths`` mean; of none, of all."""
        from c2v.services.tagging import list_tags

        return list_tags(self._space, paths)

    def cluster(
        self,
        paths: Iterable[StrPath] | StrPath = (),
        *,
        count: int | None = None,
        labels: Sequence[str] | None = None,
    ) -> Clustering:
        """Sort the videos that ``paths`` mean (of none, all) into groups of like ones.

        Of ``count`` None they are joined for as long as they are alike. ``labels`` are what groups
        may be called; None are the everyday names.
        """
        from c2v.services.clustering import cluster_videos

        return cluster_videos(self._space, paths, count=count, labels=labels)

    def map(
        self,
        file: StrPath,
        paths: Iterable[StrPath] | StrPath = (),
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> LibraryMap:
        """Draw the videos that ``paths`` mean (of none, all), like ones beside each other.

        ``file`` is a ``.png`` or an ``.html`` file, which is written anew. ``on_progress`` is told
        how many of how many pictures were read, by several threads.
        """
        from c2v.services.mapping import map_videos

        return map_videos(self._space, paths, file, on_progress=on_progress)

    # -- looking at it --------------------------------------------------------------------------

    def status(self) -> Status:
        """What the library holds, which model filled it, and what could not be read."""
        from c2v.services.reports import Status

        return Status.of(self.store)

    def evaluate(self, data: str, **how: Unpack[EvaluateArguments]) -> Comparison:
        """Measure retrieval on a captions file or a benchmark, in both directions.

        Args:
            data: CSV, TSV, JSON or JSONL with video and caption, or the name of a benchmark.
            how: see :class:`c2v.services.measuring.EvaluateArguments`.

        Raises:
            DataError: the captions cannot be read, or not one of their videos can be ranked.
        """
        from c2v.services.measuring import measure

        return measure(self._space, data, how)

    # -- teaching -----------------------------------------------------------------------------

    def finetune(
        self, wish: Wish, *, screen: Screen | None = None, stop: threading.Event | None = None
    ) -> Finetuned:
        """Train an encoder on videos and captions; needs the full install.

        Videos that are not in the library yet are indexed first. Nothing else in it changes:
        ``index`` with the new encoder takes that into use.

        Args:
            wish: the captions, what is trained on them and how.
            screen: shows how far it is; None shows nothing.
            stop: setting it saves the run and ends it.

        Raises:
            DataError: the captions cannot be used, or are of too few videos.
        """
        from c2v.services.finetuning import finetune

        return finetune(self._space, wish, screen, stop)

    def tune(self, name: str, data: str, **how: Unpack[TuneArguments]) -> Tuned:
        """Make an encoder of ``name`` whose settings fit captioned videos better; same weights.

        Videos that are not in the library yet are indexed first. Where nothing helps on the videos
        held back, nothing is written.

        Args:
            name: an encoder of any kind.
            data: CSV, TSV, JSON or JSONL with video and caption, or the name of a benchmark.
            how: see :class:`c2v.services.tuning.TuneArguments`.

        Raises:
            DataError: the captions cannot be used, or are of too few videos.
        """
        from c2v.services.tuning import tune

        return tune(self._space, name, data, how)


def _typed(paths: Iterable[StrPath] | StrPath) -> list[str]:
    return [os.fspath(path) for path in several(paths)]


def _told(_done: int, _total: int) -> None:
    """Nobody wants to know."""
