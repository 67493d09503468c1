"""``c2v finetune``: teach an encoder one's own videos and words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from c2v.cli import finetune_options as flags
from c2v.cli.finetune_report import report, say_interrupted, say_what_is_odd
from c2v.cli.models import DeviceFlag, ModelFlag
from c2v.cli.render import PlainFormat, PlainFormatFlag
from c2v.cli.session import Session, command, stop_on_signals
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, DataError, UsageError
from c2v.optional import has, remark, require

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.evaluation.captions import Captions
    from c2v.library import Store
    from c2v.training.choices import Choices
    from c2v.training.distributed import Group
    from c2v.training.finetune import Finetuned, Run


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("finetune")(command(finetune))


def finetune(
    session: Session,
    data: flags.DataFlag,
    name: flags.NameFlag = None,
    videos: flags.VideosFlag = None,
    annotations: flags.AnnotationsFlag = None,
    model: ModelFlag = None,
    head: flags.HeadFlag = None,
    train: flags.TrainFlag = None,
    init: flags.InitFlag = None,
    epochs: flags.EpochsFlag = None,
    batch: flags.BatchFlag = None,
    micro_batch: flags.MicroBatchFlag = None,
    optimizer: flags.OptimizerFlag = "adamw",
    learning_rate: flags.LearningRateFlag = None,
    clip_learning_rate: flags.ClipLearningRateFlag = None,
    freeze: flags.FreezeFlag = None,
    projections: flags.ProjectionsFlag = True,
    validation: flags.ValidationFlag = 0.1,
    patience: flags.PatienceFlag = 0,
    seed: flags.SeedFlag = 0,
    resume: flags.ResumeFlag = False,
    overwrite: flags.OverwriteFlag = False,
    bf16: flags.Bf16Flag = False,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> int:
    """Train the temporal head (and the towers) on videos and captions; the result is a model.

    Videos that are not in the library yet are indexed first. Nothing in the library changes
    otherwise: c2v index --model NAME takes the new model into use.
    """
    require("c2v finetune", "torch", "open_clip")
    # Threads that spin while they wait make a step ten times as long on a machine that has other
    # work to do; read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from c2v.training.choices import Choices

    if overwrite and name is None:
        raise UsageError(
            "--overwrite needs the name of what is to be replaced",
            hint="add --name NAME; without --overwrite a new name is chosen",
        )
    choices = Choices(
        head=head, train=train, init=init, epochs=epochs, batch=batch, micro_batch=micro_batch,
        optimiser=optimizer, learning_rate=learning_rate, clip_rate=clip_learning_rate,
        freeze=tuple(freeze or ()), projected=projections, validation=validation,
        patience=patience, autocast=bf16, seed=seed,
    )  # fmt: skip
    captions = _captions(data, videos=videos, annotations=annotations)
    job = _Job(session, captions, choices, data=data, model=model, device=device)
    return job.run(name, resume=resume, overwrite=overwrite, style=style)


def _captions(
    data: str, *, videos: Path | None, annotations: Path | None
) -> "tuple[Captions, Captions | None]":
    """What to train on, and a benchmark's own validation split where it has one."""
    from c2v.evaluation.datasets import BENCHMARKS, load_captions

    captions = load_captions(data, split="train", videos=videos, annotations=annotations)
    benchmark = BENCHMARKS.get(data.lower())
    if benchmark is not None and "val" in benchmark.videos:
        return captions, load_captions(data, split="val", videos=videos, annotations=annotations)
    if len(captions.videos) < 3:
        raise DataError(
            f"--data {data}: {len(captions.videos)} video{'s'[: len(captions.videos) > 1]}, "
            "nothing to tell apart",
            hint="give captions of at least three videos; dozens for a model that is of use",
        )
    return captions, None


@contextmanager
def _processes(wanted: str) -> "Iterator[tuple[Group, str]]":
    """The processes torchrun started (or this one), and the device of this one."""
    import torch

    from c2v.encoder.devices import resolve_device
    from c2v.training.distributed import joined

    where = resolve_device(wanted)
    if where == "cuda" and "LOCAL_RANK" in os.environ:
        where = f"cuda:{os.environ['LOCAL_RANK']}"
    with joined(torch.device(where)) as group:
        yield group, where


def _under_torchrun() -> bool:
    return "TORCHELASTIC_RESTART_COUNT" in os.environ


class _Nobody:
    """A watcher that says nothing."""

    def preparing(self, what: str, done: int, total: int) -> None: ...
    def started(self, *, steps: int, done: int, epochs: int) -> None: ...
    def stepped(self, report: Any) -> None: ...
    def validated(self, report: Any) -> None: ...


class _Job:
    """One call: its captions, and how they are to be learnt."""

    def __init__(
        self, session: Session, captions: "tuple[Captions, Captions | None]", choices: "Choices",
        *, data: str, model: str | None, device: str | None,
    ) -> None:  # fmt: skip
        self.session, self.data = session, data
        self.captions, self.later = captions
        self.choices = choices
        self.model, self.device = model, device

    def run(self, name: str | None, *, resume: bool, overwrite: bool, style: PlainFormat) -> int:
        """Do it, in each of the processes; the first one reports. Returns the exit code."""
        wanted = self.session.settings(device=self.device).device
        with (
            _processes(wanted) as (group, where),
            stop_on_signals() as stop,
            self._named(name, group, resume=resume, overwrite=overwrite) as called,
        ):
            from c2v.training.finetune import Run

            if not group.leads:
                library, verbose = self.session.library, self.session.verbose
                self.session = Session(library, quiet=True, verbose=verbose)
            run = Run(
                name=called, watcher=_Nobody(), group=group, stop=stop, device=where,
                resume=resume or group.attempt > 0, overwrite=overwrite,
            )  # fmt: skip
            run.check()
            if run.resume and not run.begun:
                self.session.notice(f"there is no checkpoint of {called}: from the beginning")
            say_what_is_odd(self.session, self.captions)
            try:
                result = self._train(run)
            except KeyboardInterrupt:
                if group.leads:
                    say_interrupted(self.session, called, saved=run.begun)
                raise
            if not group.leads:
                return EXIT_INTERRUPTED if result.outcome.interrupted else EXIT_OK
        code = report(self.session, result, style)
        # To torchrun any other code is a worker that failed, and has to be started again.
        return EXIT_OK if code == EXIT_PARTIAL and _under_torchrun() else code

    @contextmanager
    def _named(
        self, name: str | None, group: "Group", *, resume: bool, overwrite: bool
    ) -> Iterator[str]:
        """The name of the run, the same in all processes; the first one keeps others off it."""
        from c2v.training.finetune import Run
        from c2v.training.naming import named_run, runs_of

        if not group.leads:
            yield group.same_text("")
            return
        if name is not None:
            again = resume or group.attempt > 0
            Run(name=name, watcher=_Nobody(), resume=again, overwrite=overwrite).check()
        with named_run(name, self.data, resume=resume, again=group.attempt > 0) as called:
            if name is None:
                self.session.notice(f"the new model is called {called}; --name gives another name")
                open_ = [r.name for r in runs_of(self.data) if not r.finished and r.name != called]
                if open_:
                    self.session.notice(
                        f"the run {open_[0]} of these data was not finished: --name {open_[0]} "
                        "--resume goes on with it"
                    )
            yield group.same_text(called)

    def _train(self, run: "Run") -> "Finetuned":
        from c2v.cli.training_display import TrainingDisplay
        from c2v.evaluation.library_names import in_library
        from c2v.library import open_store
        from c2v.training.finetune import check_texts, check_towers, finetune
        from c2v.training.logs import RunLog
        from c2v.training.naming import write_record

        if run.group.leads:
            self._check_early()
            self._index_missing(run)
        run.group.wait()
        session = self.session
        with open_store(session.library_address()) as library:
            bundle = self._start(library)
            captions = in_library(library, self.captions)
            later = in_library(library, self.later) if self.later else None
            check_towers(library, bundle)
            if odd := check_texts(bundle, captions):
                session.notice(odd)
            if not run.group.leads:
                return finetune(library, bundle, captions, self.choices, run, validation=later)
            write_record(run.name, self.data)
            if not has("tensorboard", "matplotlib"):
                session.notice(remark("the run leaves fewer logs", "tensorboard", "matplotlib"))
            with RunLog(run.folder) as log:
                display = TrainingDisplay(session.err, shown=not session.quiet, log=log)
                run.watcher = display
                with display:
                    result = finetune(
                        library, bundle, captions, self.choices, run, validation=later
                    )
            if said := display.summary():
                session.notice(said)
            return result

    def _start(self, library: "Store") -> "Bundle":
        """The encoder to start from: the one asked for, else the library's own.

        Its text tower runs on the CPU whatever the head is trained on.
        """
        from c2v.cli.models import library_bundle
        from c2v.encoder.bundle import load_bundle

        if self.model is None:
            return library_bundle(self.session, library, device="cpu")
        return load_bundle(self.model, device="cpu")

    def _check_early(self) -> None:
        """What cannot be done is said before videos are indexed for it."""
        from c2v.encoder.bundle import load_bundle
        from c2v.library import open_store, store_exists
        from c2v.training.finetune import check_choices, check_towers

        address = self.session.library_address()
        if store_exists(address):
            with open_store(address) as library:
                if library.model is not None:
                    bundle = self._start(library)
                    check_towers(library, bundle)
                    check_choices(self.choices, bundle, self.captions)
                    return
        if self.model is not None:
            check_choices(self.choices, load_bundle(self.model, device="cpu"), self.captions)

    def _index_missing(self, run: "Run") -> None:
        """Bring those videos into the library that are on disk and not in it."""
        from c2v.library import open_store, store_exists

        address, model = self.session.library_address(), self.model
        known: set[str] = set()
        if store_exists(address):
            with open_store(address) as library:
                if library.model is not None:
                    known = {video.path for video in library.videos()}
                    known |= {failure.path for failure in library.failures()}
                    model = None  # never re-embed somebody's library on the way
        paths = self.captions.videos + (self.later.videos if self.later else ())
        new = [
            Path(path)
            for path in paths
            if path not in known and os.path.realpath(path) not in known and Path(path).is_file()
        ]
        if new:
            self._index(new, run, model=model)

    def _index(self, new: list[Path], run: "Run", *, model: str | None) -> None:
        from c2v.cli.downloads import fetch_model
        from c2v.cli.progress import IndexDisplay
        from c2v.indexing.opening import open_for_indexing
        from c2v.indexing.options import IndexOptions
        from c2v.indexing.pipeline import index

        session, settings = self.session, self.session.settings(device=self.device)
        session.notice(f"indexing {len(new)} videos that are not in the library yet")
        options = IndexOptions.from_settings(settings)
        with (
            open_for_indexing(
                session.library_address(), model=model, configured=settings.model,
                device=settings.device, precision=settings.precision, notice=session.notice,
                fetch=lambda name: fetch_model(session, name, instead="c2v finetune --model mini"),
            ) as (library, bundle),
            IndexDisplay(session.err, shown=not session.quiet) as display,
        ):  # fmt: skip
            index(library, bundle, new, options=options, progress=display, stop=run.stop)
        if run.stop.is_set():
            raise KeyboardInterrupt
