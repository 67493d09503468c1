"""``c2v finetune``: teach an encoder one's own videos and words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from c2v.cli.models import DeviceFlag, ModelFlag
from c2v.cli.render import PlainFormat, PlainFormatFlag, file_link, print_json
from c2v.cli.session import Session, command, stop_on_signals
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, DataError

if TYPE_CHECKING:
    from c2v.encoder.bundle import Bundle
    from c2v.library import Library
    from c2v.training.captions import Captions
    from c2v.training.choices import Choices
    from c2v.training.distributed import Group
    from c2v.training.finetune import Finetuned, Run

MOST_LISTED = 20
"""Videos that cannot be used, listed one by one."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("finetune")(command(finetune))


def finetune(
    session: Session,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="FILE|NAME",
            help="CSV, TSV, JSON or JSONL with video, caption; or a benchmark, such as msrvtt-9k.",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What the new model is called.")],
    videos: Annotated[
        Path | None,
        typer.Option("--videos", metavar="DIR", help="Where the videos are.", show_default=False),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations", metavar="DIR", help="A benchmark's own files.", show_default=False
        ),
    ] = None,
    model: ModelFlag = None,
    head: Annotated[
        str | None,
        typer.Option(
            "--head",
            metavar="clip2video|seqTransf|seqLSTM|meanP",
            help="The temporal head.",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option(
            "--train",
            metavar="head|all",
            help="The head on stored features, or the towers too.  \\[default: by size]",
            show_default=False,
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="identity|clip|model",
            help="First weights: as meanP, from CLIP's text tower, or the model's own head.",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, show_default=False)] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=2, help="Videos a step, of all processes.", show_default=False),
    ] = None,
    micro_batch: Annotated[
        int | None,
        typer.Option(
            "--micro-batch", min=1, help="Videos in memory at once.", show_default=False
        ),
    ] = None,
    optimizer: Annotated[
        str, typer.Option("--optimizer", metavar="adamw|bertadam")
    ] = "adamw",
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Of the head.", show_default=False)
    ] = None,
    clip_learning_rate: Annotated[
        float | None,
        typer.Option("--clip-learning-rate", help="Of the towers.", show_default=False),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            "--freeze",
            metavar="N|PATTERN",
            help="Leave the first N blocks of both towers, or weights of that name, as they are.",
            show_default=False,
        ),
    ] = None,
    projections: Annotated[
        bool,
        typer.Option(
            "--projections/--no-projections", help="A linear layer on the features of both sides."
        ),
    ] = True,
    validation: Annotated[
        float, typer.Option("--validation", help="Share of the videos that is held back.")
    ] = 0.1,
    patience: Annotated[
        int, typer.Option("--patience", min=0, help="Epochs to wait for a better one; 0: half.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a run of that name stopped.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model or run of that name.")
    ] = False,
    bf16: Annotated[
        bool, typer.Option("--bf16", help="Multiply matrices in bfloat16 (for GPUs).")
    ] = False,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> int:
    """Train the temporal head (and the towers) on videos and captions; the result is a model.

    Videos that are not in the library yet are indexed first. Nothing in the library changes
    otherwise: c2v index --model NAME takes the new model into use.
    """
    # Threads that spin while they wait make a step ten times as long on a machine that has other
    # work to do; read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from c2v.training.choices import Choices

    choices = Choices(
        head=head, train=train, init=init, epochs=epochs, batch=batch, micro_batch=micro_batch,
        optimiser=optimizer, learning_rate=learning_rate, clip_rate=clip_learning_rate,
        freeze=tuple(freeze or ()), projected=projections, validation=validation,
        patience=patience, autocast=bf16, seed=seed,
    )  # fmt: skip
    captions, later = _captions(data, videos=videos, annotations=annotations)
    settings = session.settings(device=device)
    with _processes(settings.device) as (group, where), stop_on_signals() as stop:
        from c2v.training.finetune import Run

        if not group.leads:
            session = Session(session.library, quiet=True, verbose=session.verbose)
        run = Run(
            name=name, watcher=_Nobody(), group=group, stop=stop, device=where,
            resume=resume or group.attempt > 0, overwrite=overwrite,
        )  # fmt: skip
        run.check()
        _say_what_is_odd(session, captions)
        result = _train(session, run, choices, captions, later, model=model, device=device)
        if not group.leads:
            return EXIT_INTERRUPTED if result.outcome.interrupted else EXIT_OK
    return _report(session, result, style)


class _Nobody:
    """A watcher that says nothing."""

    def started(self, *, steps: int, done: int, pairs: int) -> None: ...
    def stepped(self, report: Any) -> None: ...
    def validated(self, report: Any) -> None: ...


def _captions(
    data: str, *, videos: Path | None, annotations: Path | None
) -> "tuple[Captions, Captions | None]":
    """What to train on, and a benchmark's own validation split where it has one."""
    from c2v.training.datasets import BENCHMARKS, load_captions

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


def _say_what_is_odd(session: Session, captions: "Captions") -> None:
    if captions.duplicates:
        session.notice(
            f"{captions.duplicates} rows of {captions.file.name} are there twice and count once"
        )
    if captions.incomplete:
        session.notice(
            f"{captions.incomplete} rows of {captions.file.name} lack a video or a caption and "
            "are left out"
        )


def _train(
    session: Session, run: "Run", choices: "Choices", captions: "Captions",
    later: "Captions | None", *, model: str | None, device: str | None,
) -> "Finetuned":  # fmt: skip
    from c2v.cli.training_display import TrainingDisplay
    from c2v.library import Library
    from c2v.training.finetune import check_texts, check_towers, finetune
    from c2v.training.logs import RunLog

    if run.group.leads:
        paths = captions.videos + (later.videos if later else ())
        _index_missing(session, paths, model=model, device=device, run=run)
    run.group.wait()
    with Library.open(session.library_dir()) as library:
        bundle = _start(session, library, model)
        check_towers(library, bundle)
        if odd := check_texts(bundle, captions):
            session.notice(odd)
        if not run.group.leads:
            return finetune(library, bundle, captions, choices, run, validation=later)
        with RunLog(run.folder, append=run.resume) as log:
            display = TrainingDisplay(session.err, shown=not session.quiet, log=log)
            run.watcher = display
            with display:
                result = finetune(library, bundle, captions, choices, run, validation=later)
        if display.pairs_a_second and not session.quiet:
            session.notice(f"{display.pairs_a_second:.0f} pairs a second")
        return result


def _start(session: Session, library: "Library", model: str | None) -> "Bundle":
    """The encoder to start from: the one asked for, else the library's own.

    Its text tower runs on the CPU whatever the head is trained on.
    """
    from c2v.cli.models import library_bundle
    from c2v.encoder.bundle import load_bundle

    if model is None:
        return library_bundle(session, library, device="cpu")
    return load_bundle(model, device="cpu")


def _index_missing(
    session: Session, paths: tuple[str, ...], *, model: str | None, device: str | None, run: "Run"
) -> None:
    """Bring those videos into the library that are on disk and not in it."""
    from c2v.library import Library

    folder = session.library_dir()
    known: set[str] = set()
    if Library.exists(folder):
        with Library.open(folder) as library:
            if library.model is not None:
                known = {video.path for video in library.videos()}
                known |= {failure.path for failure in library.failures()}
                model = None  # never re-embed somebody's library on the way
    new = [
        Path(path)
        for path in paths
        if path not in known and os.path.realpath(path) not in known and Path(path).is_file()
    ]
    if new:
        _index(session, new, model=model, device=device, run=run)


def _index(
    session: Session, new: list[Path], *, model: str | None, device: str | None, run: "Run"
) -> None:
    from c2v.cli.progress import IndexDisplay
    from c2v.indexing.opening import open_for_indexing
    from c2v.indexing.pipeline import index
    from c2v.indexing.report import IndexOptions

    settings = session.settings(device=device)
    session.notice(f"indexing {len(new)} videos that are not in the library yet")
    options = IndexOptions(decoder=settings.decoder)
    with (
        open_for_indexing(
            session.library_dir(), model=model, configured=settings.model,
            device=settings.device, precision=settings.precision, notice=session.notice,
        ) as (library, bundle),
        IndexDisplay(session.err, shown=not session.quiet) as display,
    ):  # fmt: skip
        index(library, bundle, new, options=options, progress=display, stop=run.stop)
    if run.stop.is_set():
        raise KeyboardInterrupt


def _report(session: Session, result: "Finetuned", style: PlainFormat) -> int:
    from c2v.training.finetune import run_folder
    from c2v.training.logs import CURVES_NAME, draw_curves

    folder = run_folder(result.name)
    drawn = draw_curves(result.outcome.history, folder / CURVES_NAME, title=result.name)
    if style is PlainFormat.JSON:
        print_json(_as_dict(result, folder))
    else:
        _print_missing(session, result)
        _print_result(session, result)
        session.notice(f"logs{' and curves' if drawn else ''}: {folder}")
    if result.outcome.interrupted:
        session.notice(
            f"interrupted; go on with c2v finetune --name {result.name} --resume ..."
        )
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if result.missing else EXIT_OK


def _as_dict(result: "Finetuned", folder: Path) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "name": result.name,
        "model": str(result.directory) if result.directory else None,
        "interrupted": outcome.interrupted,
        "pairs": result.pairs,
        "videos": result.videos,
        "held_back": result.held_back,
        "missing": [{"path": miss.path, "reason": miss.reason} for miss in result.missing],
        "before": outcome.before,
        "after": outcome.after,
        "best_epoch": outcome.best_epoch,
        "epochs": outcome.history[-1]["epoch"],
        "elapsed_s": round(outcome.seconds, 3),
        "logs": str(folder),
        **result.planned.as_dict(),
    }


def _print_missing(session: Session, result: "Finetuned") -> None:
    from rich.table import Table

    if not result.missing:
        return
    table = Table(box=None, pad_edge=False, header_style="bold red")
    table.add_column("not used", overflow="fold")
    table.add_column("reason", overflow="fold")
    for missing in result.missing[:MOST_LISTED]:
        table.add_row(file_link(missing.path), missing.reason)
    session.err.print(table)
    if len(result.missing) > MOST_LISTED:
        session.notice(f"and {len(result.missing) - MOST_LISTED} more")


def _print_result(session: Session, result: "Finetuned") -> None:
    from rich.table import Table

    outcome = result.outcome
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"{result.held_back} videos held back")
    for name in ("R@1", "R@5", "R@10", "MnR"):
        table.add_column(name, justify="right")
    for label, metrics in (("before", outcome.before), ("after", outcome.after)):
        row = metrics["text_to_video"]
        table.add_row(label, *(f"{row[name]:.1f}" for name in ("R@1", "R@5", "R@10", "MnR")))
    session.out.print(table)
    if result.directory is not None:
        session.notice(
            f"{result.name}: {result.pairs} pairs, best of epoch {outcome.best_epoch}; "
            f"use it: c2v index --model {result.name} PATH"
        )
