"""From a captions file to a model: index what is missing, train, in one process or several."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from c2v.errors import DataError
from c2v.optional import has, remark
from c2v.services.captioned import index_missing, is_filled
from c2v.services.encoders import Encoders
from c2v.services.odd_captions import odd_rows
from c2v.services.telling import Tell

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.encoder.catalogue import Fetch
    from c2v.evaluation.captions import Captions
    from c2v.indexing.report import IndexProgress
    from c2v.library import Store
    from c2v.services.workspace import Workspace
    from c2v.training.choices import Choices
    from c2v.training.distributed import Group
    from c2v.training.loop import Watcher
    from c2v.training.run import Finetuned, Run


class Screen(Protocol):
    """What a face shows of a training."""

    def notice(self, text: str) -> None:
        """Something that is good to know."""

    def indexing(self) -> AbstractContextManager[IndexProgress]:
        """The display of videos that are indexed first."""

    def training(self, log: Watcher) -> AbstractContextManager[Watcher]:
        """The display of the run, which passes everything on to ``log``."""

    @property
    def fetch(self) -> Fetch | None:
        """Fetches a model for the videos that are indexed first; None fetches nothing."""

    def interrupted(self, name: str, *, saved: bool) -> None:
        """The run was broken off, and can go on where something was saved."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be trained, and what it is called."""

    data: str
    """A captions file, or a benchmark."""
    choices: Choices
    videos: Path | None = None
    annotations: Path | None = None
    model: str | None = None
    name: str | None = None
    resume: bool = False
    overwrite: bool = False
    keep: bool = False
    """Write the model also where nothing was better than the beginning."""


def finetune(
    space: Workspace, wish: Wish, screen: Screen | None, stop: threading.Event | None
) -> Finetuned:
    """Train a model on the library, in each of the processes that torchrun started.

    Raises:
        DataError: the captions cannot be used, or are of too few videos.
        LibraryError: the library's features are of other towers.
        ModelError: there is a model of that name.
        UsageError: choices that contradict each other.
        KeyboardInterrupt: ``stop`` was set before there was anything to train on.
    """
    captions = _captions(wish)
    shown = screen or _NoScreen(space.telling.notice)
    return _Job(space, wish, shown, *captions).run(stop or threading.Event())


def _captions(wish: Wish) -> tuple[Captions, Captions | None]:
    """What to train on, and a benchmark's own validation split where it has one."""
    from c2v.evaluation.datasets import BENCHMARKS, load_captions

    data, places = wish.data, {"videos": wish.videos, "annotations": wish.annotations}
    captions = load_captions(data, split="train", **places)
    benchmark = BENCHMARKS.get(data.lower())
    if benchmark is not None and "val" in benchmark.videos:
        return captions, load_captions(data, split="val", **places)
    if len(captions.videos) < 3:
        raise DataError(
            f"--data {data}: {len(captions.videos)} video{'s'[: len(captions.videos) > 1]}, "
            "nothing to tell apart",
            hint="give captions of at least three videos; dozens for a model that is of use",
        )
    return captions, None


@contextmanager
def _processes(wanted: str) -> Iterator[tuple[Group, str]]:
    """The processes torchrun started (or this one), and the device of this one."""
    import torch

    from c2v.encoder.devices import resolve_device
    from c2v.training.distributed import joined

    where = resolve_device(wanted)
    if where == "cuda" and "LOCAL_RANK" in os.environ:
        where = f"cuda:{os.environ['LOCAL_RANK']}"
    with joined(torch.device(where)) as group:
        yield group, where


def _unlogged() -> str:
    """A line about logs that a part is missing for; empty where none is."""
    kinds = {"matplotlib": "no picture of the curves", "tensorboard": "no TensorBoard log"}
    lost = {module: kind for module, kind in kinds.items() if not has(module)}
    if not lost:
        return ""
    return remark(f"the run is logged in log.csv, with {' and '.join(lost.values())}", *lost)


def _without_hubs(parent: Bundle, result: Finetuned) -> str:
    """A line about a hub bias that the new head cannot have; empty where nothing is lost."""
    from c2v.encoder.bundle_config import read_config

    if parent.config.hubs is None or result.directory is None:
        return ""
    if read_config(result.directory).hubs is not None:
        return ""
    return (
        f"{result.name} goes without the hub bias of {parent.name}, and the figures before are "
        "without it as well: compare both with c2v evaluate"
    )


class _Nobody:
    """A watcher that says nothing."""

    def preparing(self, what: str, done: int, total: int) -> None: ...
    def started(self, *, steps: int, done: int, epochs: int) -> None: ...
    def stepped(self, report: Any) -> None: ...
    def validated(self, report: Any) -> None: ...


class _NoScreen:
    """Shows nothing: implements :class:`Screen`. Nothing is fetched."""

    fetch = None

    def __init__(self, notice: Tell) -> None:
        self._notice = notice

    def notice(self, text: str) -> None:
        self._notice(text)

    def indexing(self) -> AbstractContextManager[IndexProgress]:
        from c2v.indexing.report import Silent

        return nullcontext(Silent())

    def training(self, log: Watcher) -> AbstractContextManager[Watcher]:
        return nullcontext(log)

    def interrupted(self, name: str, *, saved: bool) -> None:
        self._notice(f"the run {name} was interrupted{'' if saved else ' before it began'}")


class _Job:
    """One call: its captions, and how they are to be learnt."""

    def __init__(
        self,
        space: Workspace,
        wish: Wish,
        screen: Screen,
        captions: Captions,
        later: Captions | None,
    ) -> None:
        self.space, self.wish, self.screen = space, wish, screen
        self.captions, self.later = captions, later
        # Text towers run on the CPU whatever the head is trained on.
        on_cpu = dataclasses.replace(space.settings, device="cpu")
        self.encoders = Encoders(on_cpu, notice=screen.notice)

    def run(self, stop: threading.Event) -> Finetuned:
        with (
            _processes(self.space.settings.device) as (group, where),
            self._named(group) as called,
        ):
            from c2v.search.sentences import SENTENCES
            from c2v.training.run import Run

            notice: Tell = self.screen.notice if group.leads else (lambda _text: None)
            run = Run(
                name=called,
                watcher=_Nobody(),
                group=group,
                stop=stop,
                device=where,
                resume=self.wish.resume or group.attempt > 0,
                overwrite=self.wish.overwrite,
                keep=self.wish.keep,
                everyday=SENTENCES,
            )
            run.check()
            if run.resume and not run.begun:
                notice(f"there is no checkpoint of {called}: from the beginning")
            for sentence in odd_rows(self.captions):
                notice(sentence)
            try:
                return self._train(run, notice)
            except KeyboardInterrupt:
                if group.leads:
                    self.screen.interrupted(called, saved=run.begun)
                raise

    @contextmanager
    def _named(self, group: Group) -> Iterator[str]:
        """The name of the run, the same in all processes; the first one keeps others off it."""
        from c2v.training.naming import named_run, runs_of
        from c2v.training.run import Run

        wish, notice = self.wish, self.screen.notice
        if not group.leads:
            yield group.same_text("")
            return
        if wish.name is not None:
            again = wish.resume or group.attempt > 0
            Run(name=wish.name, watcher=_Nobody(), resume=again, overwrite=wish.overwrite).check()
        with named_run(wish.name, wish.data, resume=wish.resume, again=group.attempt > 0) as called:
            if wish.name is None:
                notice(f"the new model is called {called}; --name gives another name")
                runs = runs_of(wish.data)
                open_ = [run.name for run in runs if not run.finished and run.name != called]
                if open_:
                    notice(
                        f"the run {open_[0]} of these data was not finished: --name {open_[0]} "
                        "--resume goes on with it"
                    )
            yield group.same_text(called)

    def _train(self, run: Run, notice: Tell) -> Finetuned:
        from c2v.evaluation.library_names import in_library
        from c2v.evaluation.published_videos import published_protocol
        from c2v.library.refusals import check_towers
        from c2v.training.logs import RunLog, draw_curves
        from c2v.training.naming import write_record
        from c2v.training.run import check_texts, train_bundle

        if run.group.leads:
            self._check_early()
            self._index_missing(run)
        run.group.wait()
        library = self.space.store
        bundle = self._start(library)
        captions = in_library(library, self.captions)
        later = in_library(library, self.later) if self.later else None
        check_towers(library, bundle.name, bundle.towers_fingerprint)
        if odd := check_texts(bundle, captions):
            notice(odd)
        choices = self.wish.choices
        run.paper = published_protocol(
            "library" if choices.like == "own" else choices.like,
            data=self.wish.data,
            first_seconds=captions.first_seconds,
        )
        if not run.group.leads:
            return train_bundle(library, bundle, captions, choices, run, validation=later)
        write_record(run.name, self.wish.data)
        if odd := _unlogged():
            notice(odd)
        with RunLog(run.folder) as log, self.screen.training(log) as run.watcher:
            result = train_bundle(library, bundle, captions, choices, run, validation=later)
        if odd := _without_hubs(bundle, result):
            notice(odd)
        curves = draw_curves(result.outcome.history, run.folder, title=run.name)
        return dataclasses.replace(result, curves=curves)

    def _start(self, library: Store) -> Bundle:
        """The encoder to start from: the one asked for, else the library's own."""
        if self.wish.model is None:
            return self.encoders.of_library(library)
        return self.encoders.named(self.wish.model)

    def _check_early(self) -> None:
        """What cannot be done is said before videos are indexed for it."""
        from c2v.library.refusals import check_towers
        from c2v.training.run import check_choices

        if is_filled(self.space):
            bundle = self._start(self.space.store)
            check_towers(self.space.store, bundle.name, bundle.towers_fingerprint)
        elif self.wish.model is not None:
            bundle = self.encoders.named(self.wish.model)
        else:
            return
        check_choices(self.wish.choices, bundle, self.captions)

    def _index_missing(self, run: Run) -> None:
        later = self.later.videos if self.later else ()
        index_missing(
            self.space,
            self.captions.videos + later,
            model=self.wish.model,
            notice=self.screen.notice,
            indexing=self.screen.indexing,
            fetch=self.screen.fetch,
            stop=run.stop,
        )
