"""``c2v duplicates``: videos that are there more than once."""

from typing import TYPE_CHECKING, Annotated

import typer

from c2v.cli.render import PlainFormat, PlainFormatFlag, clock, file_link, new_table, show
from c2v.cli.session import Session, command
from c2v.errors import UsageError

if TYPE_CHECKING:
    from c2v.search.duplicates import DuplicateGroup, Duplicates


_ROOMY_COLUMNS = 80
"""A narrower terminal shows no column of what is the same, so that paths stay readable."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("duplicates")(command(duplicates))


def duplicates(
    session: Session,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Videos, folders or patterns; without, all of the library.",
            show_default=False,
        ),
    ] = None,
    not_duplicates: Annotated[
        bool,
        typer.Option(
            "--not-duplicates",
            help="Remember that the PATHs are no duplicates of each other.",
            show_default=False,
        ),
    ] = False,
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Forget what --not-duplicates remembered.", show_default=False),
    ] = False,
    style: PlainFormatFlag = PlainFormat.TABLE,
) -> None:
    """Find videos that are there more than once, in another size, format or cut.

    Two seconds that move alike are enough, or all of a shorter video.

    Black and even pictures do not count, nor an intro that three or more share.

    Of each group the best to keep is first. Nothing is deleted.
    """
    meant = paths or []
    if undo and not not_duplicates:
        raise UsageError("--undo is about --not-duplicates", hint="--not-duplicates A B --undo")
    if not_duplicates:
        if not meant:
            raise UsageError(
                "--not-duplicates needs two PATHs",
                hint="c2v duplicates --not-duplicates ONE.mp4 OTHER.mp4",
            )
        with session.videos() as videos:
            count = videos.tell_apart(meant, undo=undo)
        pairs = "1 pair is" if count == 1 else f"{count} pairs are"
        no = "no longer said to be no" if undo else "no"
        session.notice(f"remembered: {pairs} {no} duplicate{'' if count == 1 else 's'}")
        return
    from c2v.cli.counting import Counting

    with (
        session.videos() as videos,
        Counting(session.err, "pairs compared", shown=not session.quiet) as counting,
    ):
        found = videos.duplicates(meant, on_progress=counting.update)
    show(style, whole=found.as_dict, table=lambda: _print_groups(session, found))


def _print_groups(session: Session, found: "Duplicates") -> None:
    if not found:
        session.notice("no duplicates")
        return
    roomy = session.out.width >= _ROOMY_COLUMNS
    right = {"justify": "right", "no_wrap": True}
    table = new_table(
        ("#", {"style": "dim", "no_wrap": True}),
        ("file", {"overflow": "fold", "ratio": 1 if session.out.is_terminal else None}),
        ("picture", right),
        ("length", right),
        ("size", right),
        *([("same", {"style": "cyan", "overflow": "fold"})] if roomy else []),
    )
    for number, group in enumerate(found, start=1):
        for place, video in enumerate(group.videos):
            table.add_row(
                f"{number}{_letters(place)}",
                file_link(video.path, missing=video.missing),
                f"{video.width}x{video.height}",
                clock(video.duration),
                _size(video.size_bytes),
                *([_same(group, place, number)] if roomy else []),
                style="dim" if video.missing else None,
                end_section=place == len(group.videos) - 1,
            )
    session.out.print(table)
    more = sum(video.size_bytes for group in found for video in group.videos[1:])
    videos = sum(len(group.videos) for group in found)
    groups = "1 group" if len(found) == 1 else f"{len(found)} groups"
    session.notice(
        f"{groups} of {videos} videos; all but the first of each: {_size(more)}; those that are "
        "none: c2v duplicates --not-duplicates A B"
    )


def _same(group: "DuplicateGroup", place: int, number: int) -> str:
    """What a video has in common with those above it: with the one of which it is most."""
    names = {video.path: n for n, video in enumerate(group.videos)}
    mine = group.videos[place].path
    before = [
        (pair, pair.b if pair.a == mine else pair.a)
        for pair in group.pairs
        if mine in (pair.a, pair.b)
    ]
    before = [(pair, other) for pair, other in before if names[other] < place]
    if not before:
        return ""
    pair, other = max(before, key=lambda one: (one[0].shared_seconds, -names[one[1]]))
    name = f"{number}{_letters(names[other])}"
    if pair.confidence == 1.0:
        return f"exact copy of {name}"
    start = pair.starts[0] if pair.a == other else pair.starts[1]
    since = f" from {clock(start)}" if start >= 1.0 else ""
    return f"{pair.shared_seconds:.1f} s of {name}{since}"


def _letters(place: int) -> str:
    """a to z, then aa, ab and so on.

    >>> [_letters(n) for n in (0, 25, 26, 27)]
    ['a', 'z', 'aa', 'ab']
    """
    rest = ""
    while place >= 0:
        place, letter = divmod(place, 26)
        rest = chr(ord("a") + letter) + rest
        place -= 1
    return rest


def _size(size_bytes: int) -> str:
    """In kB, MB or GB."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
