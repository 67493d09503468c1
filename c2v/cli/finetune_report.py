"""What ``c2v finetune`` says when it is over, or was interrupted."""

import shlex
import sys
from typing import TYPE_CHECKING

from c2v.cli.render import MOST_LISTED, PlainFormat, failures_table, new_table, show
from c2v.cli.session import Session
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from c2v.training.run import Finetuned

_SHOWN = ("R@1", "R@5", "R@10", "MnR")


def report(session: Session, result: "Finetuned", style: PlainFormat) -> int:
    """Print how a run ended; returns the exit code."""
    show(style, whole=result.as_dict, table=lambda: _print_report(session, result))
    if result.outcome.interrupted:
        say_interrupted(session, result.name, saved=True)
        return EXIT_INTERRUPTED
    return EXIT_PARTIAL if result.missing else EXIT_OK


def say_interrupted(session: Session, name: str, *, saved: bool) -> None:
    """How to go on; also with --quiet, because nobody would find it out."""
    if saved:
        text = f"interrupted and saved; go on with: {_command_to_resume(sys.argv[1:], name)}"
    else:
        text = "interrupted before there was anything to save"
    session.err.print(text, soft_wrap=True)


def _command_to_resume(arguments: list[str], name: str) -> str:
    """The same command line once more, with --resume and the name that was chosen."""
    kept = [word for word in arguments if word not in ("--overwrite", "--resume")]
    if not any(word.partition("=")[0] == "--name" for word in kept):
        kept += ["--name", name]
    return shlex.join(["c2v", *kept, "--resume"])


def _print_report(session: Session, result: "Finetuned") -> None:
    _print_missing(session, result)
    _print_result(session, result)
    session.notice(f"log{' and curves' if result.curves else ''}: {result.logs}")


def _print_missing(session: Session, result: "Finetuned") -> None:
    if not result.missing:
        return
    rows = ((missing.path, missing.reason) for missing in result.missing[:MOST_LISTED])
    session.err.print(failures_table("not used", rows))
    if len(result.missing) > MOST_LISTED:
        session.notice(f"and {len(result.missing) - MOST_LISTED} more")


def _print_result(session: Session, result: "Finetuned") -> None:
    outcome = result.outcome
    number = {"justify": "right"}
    table = new_table(
        (f"{result.held_back} videos held back", {}), *((name, number) for name in _SHOWN)
    )
    after = "so far" if outcome.interrupted else "after"
    for label, metrics in (("before", outcome.before), (after, outcome.after)):
        row = metrics["text_to_video"]
        table.add_row(label, *(f"{row[name]:.1f}" for name in _SHOWN))
    session.out.print(table)
    if outcome.interrupted:
        return
    if outcome.cannot_tell:
        session.notice(
            f"before it every caption had its video first, of {result.held_back} held back: they "
            "cannot tell whether it is better; give more videos"
        )
    elif outcome.best_epoch == 0:
        what = f"{result.name} ranks as the model it started from"
        if not result.written:
            what = "it was not worth it, and no model was written; --keep writes one all the same"
        session.problem(f"no epoch was better on the videos held back: {what}")
    if not result.written:
        return
    session.notice(
        f"{result.name}: {result.pairs} pairs, best of epoch {outcome.best_epoch}; "
        f"use it: c2v index --model {result.name} PATH"
    )
