"""``c2v finetune``: teach an encoder one's own videos and words."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from c2v.cli import finetune_options as flags
from c2v.cli.finetune_report import report, say_interrupted
from c2v.cli.model_options import DeviceFlag, ModelFlag
from c2v.cli.render import PlainFormat, PlainFormatFlag
from c2v.cli.session import Session, command, stop_on_signals
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, UsageError
from c2v.optional import require

if TYPE_CHECKING:
    from c2v.indexing.report import IndexProgress
    from c2v.training.loop import Watcher


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
    recipe: flags.RecipeFlag = "own",
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
    validation: flags.ValidationFlag = None,
    patience: flags.PatienceFlag = 0,
    seed: flags.SeedFlag = 0,
    resume: flags.ResumeFlag = False,
    overwrite: flags.OverwriteFlag = False,
    guard: flags.GuardFlag = True,
    keep: flags.KeepFlag = False,
    bf16: flags.Bf16Flag = False,
    device: DeviceFlag = None,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> int:
    """Train the temporal head (and the towers) on videos and captions; the result is a model.

    Videos that are not in the library yet are indexed first. Nothing in the library changes
    otherwise: c2v index --model NAME takes the new model into use. Of what was learnt as much is
    kept as makes the videos held back better and nothing worse; where that is nothing, no model is
    written, unless --keep is given.
    """
    require("c2v finetune", "torch", "open_clip")
    # Threads that spin while they wait make a step ten times as long on a machine that has other
    # work to do; read when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from c2v.services.finetuning import Wish
    from c2v.training.choices import Choices

    if overwrite and name is None:
        raise UsageError(
            "--overwrite needs the name of what is to be replaced",
            hint="add --name NAME; without --overwrite a new name is chosen",
        )
    choices = Choices(
        like=recipe,
        head=head,
        train=train,
        init=init,
        epochs=epochs,
        batch=batch,
        micro_batch=micro_batch,
        optimiser=optimizer,
        learning_rate=learning_rate,
        clip_rate=clip_learning_rate,
        freeze=tuple(freeze or ()),
        projected=projections,
        validation=validation,
        guard=guard,
        patience=patience,
        autocast=bf16,
        seed=seed,
    )
    wish = Wish(
        data,
        choices,
        videos=videos,
        annotations=annotations,
        model=model,
        name=name,
        resume=resume,
        overwrite=overwrite,
        keep=keep,
    )
    with session.videos(device=device) as library, stop_on_signals() as stop:
        result = library.finetune(wish, screen=_Screen(session), stop=stop)
    if not result.leads:
        return EXIT_INTERRUPTED if result.outcome.interrupted else EXIT_OK
    code = report(session, result, style)
    # To torchrun any other code is a worker that failed, and has to be started again.
    return EXIT_OK if code == EXIT_PARTIAL and _under_torchrun() else code


def _under_torchrun() -> bool:
    return "TORCHELASTIC_RESTART_COUNT" in os.environ


class _Screen:
    """What is seen of a training: implements :class:`c2v.services.finetuning.Screen`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def notice(self, text: str) -> None:
        self._session.notice(text)

    def indexing(self) -> "AbstractContextManager[IndexProgress]":
        from c2v.cli.progress import IndexDisplay

        return IndexDisplay(self._session.err, shown=not self._session.quiet)

    @contextmanager
    def training(self, log: "Watcher") -> "Iterator[Watcher]":
        from c2v.cli.training_display import TrainingDisplay

        display = TrainingDisplay(self._session.err, shown=not self._session.quiet, log=log)
        with display:
            yield display
        if said := display.summary():
            self._session.notice(said)

    def fetch(self, name: str) -> Path:
        from c2v.cli.downloads import fetch_model

        return fetch_model(self._session, name, instead="c2v finetune --model mini")

    def interrupted(self, name: str, *, saved: bool) -> None:
        say_interrupted(self._session, name, saved=saved)
