"""``c2v tag``: names for videos, measured or given by hand."""

from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.label_options import LabelsFlag, PathsArgument, comma_list, read_labels_flag
from c2v.cli.render import PlainFormat, PlainFormatFlag, file_link, new_table, show
from c2v.cli.session import Session, command
from c2v.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from c2v.services.tagging import TaggedVideo, Tagging, TagList


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("tag")(command(tag))


def tag(
    session: Session,
    paths: PathsArgument = None,
    labels: LabelsFlag = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            "--min-confidence",
            min=0.0,
            max=1.0,
            help="From here on a label is a tag.  \\[default: 0.5; everyday names 0.8]",
            show_default=False,
        ),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="TAG", help="Tag by hand; repeatable, or with commas."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="TAG", help="Take a tag away; repeatable."),
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Take away what was measured; tags by hand stay.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", "-l", help="Only show the tags.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """Tag videos with the labels that fit them; c2v search --tag finds only those.

    Labels are measured on each video as a whole; measuring again never changes a tag by hand.
    """
    names = None if labels is None else read_labels_flag(session, labels)
    if list_ and (names or min_confidence is not None or add or remove or clear or dry_run):
        raise UsageError("--list only shows tags", hint="c2v tag --list")
    with session.videos() as videos:
        if list_:
            listed = videos.tags(paths or ())
            show(style, whole=listed.as_dict, table=lambda: _print_list(session, listed, paths))
            return
        done = videos.tag(
            paths or (),
            labels=names,
            min_confidence=min_confidence,
            add=comma_list(add, option="--add"),
            remove=comma_list(remove, option="--remove"),
            clear=clear,
            dry_run=dry_run,
        )
    show(style, whole=done.as_dict, table=lambda: _print_done(session, done))
    if done.min_confidence is not None and not done:
        session.notice(
            f"no label reached {done.min_confidence:g} on any of "
            f"{_count(done.looked_at, 'video')}; --min-confidence lowers the bar"
        )


def _print_list(session: Session, listed: "TagList", paths: list[str] | None) -> None:
    if not listed:
        session.notice(f"no tags yet: c2v tag{session.library_option}")
    elif not paths:
        numbers = {"justify": "right"}
        table = new_table("tag", ("videos", numbers), ("by hand", numbers))
        for name, videos, by_hand in listed.names():
            table.add_row(name, f"{videos:,}", f"{by_hand:,}" if by_hand else "")
        session.out.print(table)
        session.notice("those of each video: c2v tag --list PATH")
    else:
        session.out.print(_table_of(tuple(listed)))


def _print_done(session: Session, done: "Tagging") -> None:
    if done.removed:
        session.out.print(_table_of(done.removed, title="taken away"))
    if done:
        session.out.print(_table_of(tuple(done)))
    given, gone = _tags_in(tuple(done)), _tags_in(done.removed)
    if not given and not gone:
        if done.min_confidence is None:
            session.notice(f"{_count(done.looked_at, 'video')}: nothing to be done")
        return
    said = [f"{_count(given, 'tag')} on {len(done):,} of {_count(done.looked_at, 'video')}"]
    said += [f"{_count(gone, 'tag')} taken away"] if gone else []
    said = said if given else said[1:]
    said += ["nothing was written"] if done.dry_run else []
    session.notice(", ".join(said))


def _table_of(videos: "tuple[TaggedVideo, ...]", *, title: str = "tags") -> "Table":
    half = {"overflow": "fold", "ratio": 1}
    table = new_table(("file", half), (title, half))
    for video in videos:
        tags = (
            f"{tag.name} (by hand)" if tag.by_hand else f"{tag.name} {tag.confidence:.2f}"
            for tag in video.tags
        )
        table.add_row(file_link(video.path), ", ".join(tags))
    return table


def _tags_in(videos: "tuple[TaggedVideo, ...]") -> int:
    return sum(len(video.tags) for video in videos)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s'[: number != 1]}"
