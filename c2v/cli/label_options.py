"""Which videos are put in order, and by which labels: the same for every command that does."""

from collections.abc import Sequence
from typing import Annotated

import typer

from c2v.cli.session import Session
from c2v.errors import UsageError

PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Videos, folders with all below, or patterns; without, all.",
        metavar="PATH",
        show_default=False,
    ),
]
LabelsFlag = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar='FILE|-|"A,B,C"',
        help="Labels to choose from: a file (a line each, or a CSV), or between commas.  "
        "\\[default: 211 everyday names]",
        show_default=False,
    ),
]
NeededLabelsFlag = Annotated[
    str,
    typer.Option(
        "--labels",
        metavar='FILE|-|"A,B,C"',
        help="Labels to choose from: a file (a line each, or a CSV), or between commas.",
    ),
]


def read_labels_flag(session: Session, text: str) -> list[str]:
    """The labels that are meant; a notice where a name could have been a list."""
    from c2v.search.labels import labels_meant

    return labels_meant(text, on_notice=session.notice)


def comma_list(texts: Sequence[str] | None, *, option: str) -> list[str]:
    """The names in some texts, each once, in their order.

    >>> comma_list(["a dog, a cat", "the sea"], option="--add")
    ['a dog', 'a cat', 'the sea']

    Raises:
        UsageError: a text without any.
    """
    names: dict[str, None] = {}
    for text in texts or ():
        found = [part.strip() for part in text.split(",") if part.strip()]
        if not found:
            raise UsageError(f"{option}: a name is empty", hint=f'{option} "a dog"')
        names.update(dict.fromkeys(found))
    return list(names)
