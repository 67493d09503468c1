"""What ``c2v search`` does with its results beside printing them: playing, cutting, pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.render import FILE_FORMATS, Format, short_path
from c2v.cli.session import Session
from c2v.errors import EXIT_NO_MATCH, EXIT_OK, EXIT_PARTIAL, C2VError, MediaError, UsageError

if TYPE_CHECKING:
    from c2v.search.results import Answer, Moment

PlayFlag = Annotated[
    bool, typer.Option("--play", help="Play the first result at its moment.", show_default=False)
]
CutFlag = Annotated[
    Path | None,
    typer.Option(
        "--cut", metavar="DIR", help="Write each moment to a file there, copied as it is."
    ),
]
ExactFlag = Annotated[
    bool,
    typer.Option(
        "--exact", help="With --cut: encode again, to the very picture.", show_default=False
    ),
]
ThumbnailsFlag = Annotated[
    bool,
    typer.Option("--thumbnails", help="Show pictures in the terminal.", show_default=False),
]


@dataclass(frozen=True)
class Doing:
    """What is to be done with the results."""

    play: bool
    play_command: str | None
    cut: Path | None
    exact: bool
    thumbnails: bool

    def check(self, style: Format, *, is_batch: bool) -> None:
        """Refuse what makes no sense together.

        Raises:
            UsageError: options that do not go together.
        """
        if self.exact and self.cut is None:
            raise UsageError("--exact is about what --cut writes", hint="--cut DIR --exact")
        if is_batch and (self.play or self.cut is not None or self.thumbnails):
            raise UsageError(
                "--play, --cut and --thumbnails are for one QUERY", hint="leave out --batch"
            )
        if is_batch and style in FILE_FORMATS:
            raise UsageError(
                f"--format {style.value} is one file, and --batch gives many answers",
                hint="--format jsonl",
            )


def do_with(
    session: Session, answer: "Answer", doing: Doing, style: Format, *, all_rows: bool
) -> int:
    """Do all that was asked for with what is shown and whose files are there; the exit code."""
    code = EXIT_OK if answer.matched else EXIT_NO_MATCH
    present = [moment for moment in answer.shown(all_rows=all_rows) if not moment.missing]
    if doing.thumbnails and style == Format.TABLE:
        from c2v.cli.thumbnails import print_thumbnails

        print_thumbnails(session, present)
    if doing.cut is not None:
        code = _cut_all(session, present, doing.cut, exact=doing.exact) or code
    if doing.play:
        if not present:
            session.notice("there is nothing to play")
        else:
            from c2v.cli.play import play_at
            from c2v.services.playing import PlayFrom

            play_at(session, PlayFrom(present[0].path, present[0].start), doing.play_command)
    return code


def _cut_all(session: Session, moments: "Sequence[Moment]", folder: Path, *, exact: bool) -> int:
    """A file for each moment, a line for each file."""
    from c2v.media.cut import Excerpt, cut

    failed = False
    for moment in moments:
        part = Excerpt(Path(moment.path), moment.start, moment.end)
        try:
            written = cut(part, folder, moment.rank, exact=exact)
        except MediaError as error:
            failed = True
            session.problem(f"{short_path(moment.path)} was not cut: {error.message}")
        except OSError as error:
            raise C2VError(
                f"--cut {folder}: {error.strerror or error}", hint="choose a folder with room"
            ) from error
        else:
            session.notice(f"wrote {short_path(str(written))}")
    return EXIT_PARTIAL if failed else EXIT_OK
