"""One library of videos behind one object: what the command line and scripts work with."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from c2v.config import Settings, cache_dir, load_settings
from c2v.errors import UsageError
from c2v.services.encoders import Encoders
from c2v.services.places import StrPath, expanded_path, several
from c2v.services.telling import Tell, Telling, log_notice, log_problem

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from c2v.encoder.bundle import Bundle
    from c2v.encoder.catalogue import Fetch
    from c2v.indexing.report import ConfirmPrune, IndexProgress, IndexReport
    from c2v.library import Store, VideoRecord
    from c2v.search.ranking import Query
    from c2v.search.results import Answer
    from c2v.services.last_answer import LastMoment
    from c2v.services.results import Comparison, Description, Removed, Status
    from c2v.services.wanted import Wanted


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
        self.settings = settings
        self._asked_for = asked_for
        self._telling = Telling(on_notice, on_problem)
        self.encoders = Encoders(settings, notice=on_notice)
        self._store: Store | None = None
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"VideoLibrary({self.settings.library!r})"

    def __enter__(self) -> VideoLibrary:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the library; the next call would open it again."""
        with self._lock:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    @property
    def exists(self) -> bool:
        """Whether there is a library to be opened, sound or not."""
        from c2v.library import store_exists

        return self._store is not None or store_exists(self.settings.library)

    @property
    def store(self) -> Store:
        """The library itself, opened at the first use.

        Raises:
            LibraryError: there is none, or it is damaged.
        """
        return self._opened(create=False)

    def _opened(self, *, create: bool) -> Store:
        from c2v.library import HnswSettings, open_store

        wanted = self.settings
        hnsw = HnswSettings(
            m=wanted.hnsw_m, ef_construction=wanted.hnsw_ef_construction, ef=wanted.hnsw_ef
        )
        with self._lock:
            if self._store is None:
                self._store = open_store(wanted.library, create=create, hnsw=hnsw)
            return self._store

    # -- filling ------------------------------------------------------------------------------

    def index(
        self,
        paths: Iterable[StrPath] | StrPath,
        *,
        model: str | None = None,
        exclude: Sequence[str] = (),
        hidden: bool = False,
        segment: str | None = None,
        sampling: Literal["exact", "fast"] = "exact",
        workers: int | None = None,
        prune: bool = False,
        retry_failed: bool = False,
        rebuild: bool = False,
        max_megapixels: float | None = None,
        progress: IndexProgress | None = None,
        confirm_prune: ConfirmPrune | None = None,
        confirm_rebuild: Callable[[str], None] | None = None,
        fetch: Fetch | None = None,
        stop: threading.Event | AbstractContextManager[threading.Event] | None = None,
    ) -> IndexReport:
        """Bring the library up to date with folders and files; make it if there is none.

        Args:
            paths: folders and files; ``~`` is the home folder.
            model: the encoder; None is the library's own, else that of the settings.
            exclude: path patterns of what is left out.
            hidden: take hidden files too.
            segment: ``auto``, ``whole``, ``scene`` or seconds; None keeps what a video has.
            sampling: exact frames, or the nearest keyframes.
            workers: decoding threads; None is one a core.
            prune: drop videos that are no longer on disk.
            retry_failed: try unchanged files again that failed before.
            rebuild: read what is below the paths again; with other towers forget all else.
            max_megapixels: refuse files with larger pictures; None is 200.
            progress: told what happens.
            confirm_prune: asked whether vanished videos go where that is not sure; None keeps them.
            confirm_rebuild: told what ``rebuild`` is about to do; raising stops it.
            fetch: gets ``ViT-B-32`` for a new library; without it nothing is ever fetched.
            stop: setting it ends the run; what was finished is kept. A context that gives such an
                event is entered when everything is asked and loaded.

        Returns:
            What was done. Failures of single files are in it, not raised.

        Raises:
            LibraryError: another process is writing, or the library is of other towers.
            C2VError: none of the paths exists.
        """
        from c2v.indexing.memory import return_large_blocks
        from c2v.indexing.options import IndexOptions
        from c2v.indexing.pipeline import index
        from c2v.indexing.report import refuse
        from c2v.media.containers import MOST_MEGAPIXELS
        from c2v.media.decode import choose_decoder
        from c2v.services.filling import asking_to_rebuild, check_paths, ready_to_fill
        from c2v.services.removing import give_back_room

        settings = self.settings
        if segment is not None:
            settings = dataclasses.replace(settings, segment=segment)
        options = dataclasses.replace(
            IndexOptions.from_settings(settings, segment_is_chosen=segment is not None),
            exclude=tuple(exclude),
            hidden=hidden,
            exactness=sampling,
            workers=workers,
            prune=prune,
            retry_failed=retry_failed,
            max_megapixels=MOST_MEGAPIXELS if max_megapixels is None else max_megapixels,
            reread=rebuild,
        )
        choose_decoder(settings.decoder, exactness=sampling)  # said before any work
        roots = [expanded_path(path) for path in several(paths)]
        present = self.store if self.exists else None
        check_paths(roots, present)
        return_large_blocks()
        asking = asking_to_rebuild(roots, confirm_rebuild or (lambda _what: None))
        with ready_to_fill(
            present,
            self.encoders,
            create=lambda: self._opened(create=True),
            model=model,
            configured=settings.model,
            notice=self._telling.notice,
            fetch=fetch,
            before_rebuild=asking if rebuild else None,
        ) as (library, bundle):
            with stop if isinstance(stop, AbstractContextManager) else nullcontext(stop) as stopped:
                report = index(
                    library,
                    bundle,
                    roots,
                    options=options,
                    progress=progress,
                    confirm_prune=confirm_prune or refuse,
                    stop=stopped,
                )
            if report.removed:
                give_back_room(library, self._telling)
        self._telling.once(self._telling.notice, library.slower_because)
        return report

    def remove(
        self,
        paths: Iterable[StrPath] | StrPath,
        *,
        dry_run: bool = False,
        confirm: Callable[[Sequence[VideoRecord]], None] | None = None,
    ) -> Removed:
        """Forget videos: they leave the library, the files stay where they are.

        Args:
            paths: videos, folders with all below, or path patterns.
            dry_run: only say what would be removed.
            confirm: told what is about to be forgotten; raising stops it.

        Raises:
            DataError: one of the paths means no video of the library.
        """
        from c2v.services.removing import remove_videos, videos_meant
        from c2v.services.results import Removed

        doomed = videos_meant(self.store, [os.fspath(path) for path in several(paths)])
        if not dry_run:
            if confirm is not None:
                confirm(doomed)
            remove_videos(self.store, doomed, self._telling)
        return Removed(tuple(video.path for video in doomed), dry_run)

    # -- asking -------------------------------------------------------------------------------

    def search(self, query: str, **wanted: Unpack[Wanted]) -> Answer:
        """The moments that show what a sentence says, the best first.

        ``wanted`` is described in :class:`c2v.services.wanted.Wanted`.

        What was asked before is not embedded again: the numbers, not the sentence, are kept in a
        cache on disk.
        """
        from c2v.search.text_cache import cached_query

        if not query.strip():
            raise UsageError("the QUERY is empty", hint='c2v search "a dog catching a frisbee"')
        bundle = self._encoder()
        question = cached_query(bundle, query, cache_dir() / "queries")
        return self._found(bundle, [question], wanted)[0]

    def search_many(self, queries: Sequence[str], **wanted: Unpack[Wanted]) -> list[Answer]:
        """An answer for each of some sentences, embedded and ranked together."""
        from c2v.search.ranking import text_queries

        if isinstance(queries, str):
            raise TypeError("search_many takes a list of texts, got one text")
        bundle = self._encoder()
        if not queries:
            return []
        return self._found(bundle, text_queries(bundle, queries), wanted)

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
        from c2v.services.streams import answer_lines

        self._encoder()  # what is wrong with the library is said before anything is read
        return answer_lines(
            source,
            lambda texts: self.search_many(texts, **wanted),
            warm=self.store.warm,
            on_bad=on_bad,
        )

    def similar(self, path: StrPath, **wanted: Unpack[Wanted]) -> Answer:
        """The moments that look like a video, the best first.

        ``wanted`` is described in :class:`c2v.services.wanted.Wanted`.

        A file that the library holds as it is on disk now is not opened again.

        Raises:
            MediaError: nothing of the file can be read.
        """
        from c2v.search.ranking import video_query
        from c2v.services.clips import clip_of

        bundle = self._encoder()
        clip = clip_of(expanded_path(path), bundle, self.store, notice=self._notice_once)
        question = video_query(os.fspath(path), clip.features, clip.vector)
        return self._found(bundle, [question], wanted)[0]

    def keep(self, answer: Answer) -> None:
        """Let this be the last answer of the library, of which :meth:`last` gives results.

        Ids and times are kept in the cache folder, never the question. Nothing of a search
        depends on it: where it cannot be written, one notice says so.
        """
        from c2v.services.last_answer import keep

        try:
            keep(self.store, answer.results, cache_dir() / "last")
        except OSError as error:
            self._notice_once(f"this answer is not kept for play, open and --like: {error}")

    def last(self, rank: int) -> LastMoment:
        """Result ``rank`` (from 1) of the answer that was kept last, where its video is now.

        Raises:
            DataError: no answer was kept, there is no such result, or its video has left the
                library.
        """
        from c2v.services.last_answer import recall

        return recall(self.store, rank, cache_dir() / "last")

    def describe(
        self,
        path: StrPath,
        labels: Sequence[str],
        *,
        top: int = 10,
        min_score: float | None = None,
        model: str | None = None,
    ) -> Description:
        """Rank sentences by how well they describe a video, which need not be in the library.

        The encoder is ``model``, else the library's own if there is one, else the default.

        Raises:
            MediaError: nothing of the file can be read.
        """
        from c2v.search.labels import rank_labels
        from c2v.services.clips import clip_of
        from c2v.services.results import Description

        if isinstance(labels, str):
            raise TypeError("describe takes a list of labels, got one text")
        file = expanded_path(path)
        bundle = self._encoder_for_clips(model)
        clip = clip_of(file, bundle, None, notice=self._notice_once)
        ranked = rank_labels(bundle, clip.vector, labels)[:top]
        kept = tuple(one for one in ranked if min_score is None or one.score >= min_score)
        return Description(str(file.absolute()), bundle.name, kept)

    # -- looking at it --------------------------------------------------------------------------

    def status(self) -> Status:
        """What the library holds, which model filled it, and which files failed."""
        from c2v.services.results import Status

        store = self.store
        counts, sizes, model = store.counts(), store.storage_sizes(), store.model
        return Status(
            library=store.address,
            model=model.name if model else None,
            videos=counts.videos,
            segments=counts.segments,
            frames=counts.frames,
            seconds_of_video=counts.seconds,
            size_bytes=sizes.total_bytes,
            failed=tuple(store.failures()),
        )

    def evaluate(
        self,
        data: str,
        *,
        videos: Path | None = None,
        annotations: Path | None = None,
        split: str = "test",
        models: Sequence[str] = (),
        protocol: str = "library",
        normalize: str = "none",
        bank: str | None = None,
        ties: str = "optimistic",
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Comparison:
        """Measure retrieval on a captions file or a benchmark, in both directions.

        Args:
            data: CSV, TSV, JSON or JSONL with video and caption, or the name of a benchmark.
            videos: the folder of the videos; None is beside the file, else in the library.
            annotations: the folder of a benchmark's own files; None is ``videos``.
            split: ``train``, ``val`` or ``test`` of a benchmark.
            models: encoders, set side by side; none is the library's own.
            protocol: ``library`` ranks its videos; ``clip4clip`` and ``clip2video`` read the files
                as those papers do.
            normalize: ``none``, ``dual-softmax`` or ``qb-norm``.
            bank: training captions for ``qb-norm``; None is those of the benchmark.
            ties: ``optimistic``, ``average``, ``pessimistic`` or ``legacy``.
            on_progress: with a paper's protocol, told how many videos of how many are read.

        Raises:
            DataError: the captions cannot be read, or not one of their videos can be ranked.
        """
        from c2v.services.measuring import Measuring

        measuring = Measuring(
            data, videos=videos, annotations=annotations, split=split, protocol=protocol,
            normalize=normalize, bank=bank, ties=ties, telling=self._telling,
        )  # fmt: skip
        if measuring.paper is None:
            self._encoder()
            return measuring.over_library(self.store, self._bundles(models))
        return measuring.over_files(
            measuring.paper, self._bundles(models), on_progress or (lambda _done, _total: None)
        )

    def _bundles(self, names: Sequence[str]) -> list[Bundle]:
        """The encoders asked for, or the library's own, or the default."""
        if names:
            return [self.encoders.named(name) for name in names]
        if self.exists and self.store.model is not None:
            return [self.encoders.of_library(self.store)]
        return [self.encoders.default()]

    # -- within -------------------------------------------------------------------------------

    def _encoder(self) -> Bundle:
        return self.encoders.of_library(self.store)

    def _encoder_for_clips(self, model: str | None) -> Bundle:
        """For what needs no library: ``model``, else the library's own, else the default."""
        if model is not None:
            return self.encoders.named(model)
        if self._asked_for or self.exists:
            return self.encoders.of_library_or_default(self.store)
        return self.encoders.default()

    def _found(self, bundle: Bundle, queries: Sequence[Query], wanted: Wanted) -> list[Answer]:
        from c2v.search.ranking import find_all
        from c2v.services.wanted import options_of

        store, telling = self.store, self._telling
        options = options_of(wanted, self.settings.strategy, on_unmatched=self._unmatched)
        answers = find_all(store, bundle, queries, options)
        if damaged := tuple(store.left_out()):
            answers = [dataclasses.replace(answer, left_out=damaged) for answer in answers]
        if reason := store.graph_not_kept():
            telling.once(telling.problem, f"the HNSW graph could not be saved in {reason}")
        telling.once(telling.notice, store.slower_because)
        return answers

    def _unmatched(self, pattern: str) -> None:
        self._telling.once(
            self._telling.problem, f"--in {pattern}: no video of the library is there"
        )

    def _notice_once(self, text: str) -> None:
        self._telling.once(self._telling.notice, text)


def open_library(
    library: StrPath | None = None,
    *,
    on_notice: Tell = log_notice,
    on_problem: Tell = log_problem,
    **settings: str | int | None,
) -> VideoLibrary:
    """The library of that name or folder; None is the one of the settings.

    Nothing is read yet: a library that does not exist is made by its first ``index``.

    Args:
        library: a name, or anything that looks like a path.
        on_notice: told in a line what is good to know; else the logger ``c2v`` is.
        on_problem: told in a line what was left out or could not be done; else the logger is.
        settings: those of ``c2v config show``, such as ``device="cuda"``; what is not given comes
            from ``C2V_*`` variables and ``config.toml``.

    Raises:
        UsageError: a setting that is unknown or does not fit.
    """
    name = None if library is None else os.fspath(library)
    return VideoLibrary(
        load_settings(library=name, **settings),
        asked_for=library is not None,
        on_notice=on_notice,
        on_problem=on_problem,
    )
