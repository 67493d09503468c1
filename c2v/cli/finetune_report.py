"""What ``c2v finetune`` says when it is over, or was interrupted."""

import shlex
import sys
from typing import TYPE_CHECKING

from c2v.cli.render import MOST_LISTED, PlainFormat, failures_table, new_table, show
from c2v.cli.session import Session
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.training.choosing import Verdict
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
    if outcome.before:  # an interrupted run in turns has no figures yet
        session.out.print(_table(result))
    choice = outcome.choice
    if choice is None:
        return
    if choice.share == 0:
        what = f"{result.name} ranks as the model it started from"
        if not result.written:
            what = "no model was written; --keep writes one all the same"
        session.problem(f"it was not worth it: {_why(choice)}; {what}")
        session.notice(_how_many_more(choice))
    if not result.written:
        return
    session.notice(
        f"{result.name}: {result.pairs} pairs, best of epoch {outcome.best_epoch}"
        f"{_how_far(choice)}; use it: c2v index --model {result.name} PATH"
    )


def _table(result: "Finetuned") -> "Table":
    outcome = result.outcome
    number = {"justify": "right"}
    held = f"{result.held_back} videos held back"
    if not result.held_back:
        held = f"{result.videos} videos, each held back once"
    table = new_table((held, {}), *((name, number) for name in _SHOWN))
    after = "so far" if outcome.interrupted else "after"
    for label, metrics in (("before", outcome.before), (after, outcome.after)):
        row = metrics["text_to_video"]
        table.add_row(label, *(f"{row[name]:.1f}" for name in _SHOWN))
    return table


def _why(choice: "Verdict") -> str:
    """Why no weights but those of the start were taken."""
    gain = f"{choice.gain:+.1f} points"
    return {
        "perfect": "before it every caption had its video first, so nobody can tell what is better",
        "chance": f"{gain} on the videos held back (give or take {choice.error:.1f}) may be chance",
        "none": "nothing was better on the videos held back",
        "harm": "what helps some videos held back harms others, or everyday sentences",
    }[choice.reason]


def _how_many_more(choice: "Verdict") -> str:
    more = choice.more_pairs
    if more is None:
        return "give videos that are harder to tell apart"
    least, most = more
    if most is None:
        return f"it would take more pairs: {least} more at least, and nobody can say how many"
    about = f"{least}" if least == most else f"{least} to {most}"
    return f"it would take about {about} more pairs"


def _how_far(choice: "Verdict") -> str:
    """How much of the way to the trained weights was gone."""
    return "" if choice.share == 1 else f", {choice.share:.0%} of the way to it"
