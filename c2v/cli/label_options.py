"""``--labels`` and other lists of names, read the same by every command."""

from collections.abc import Sequence
from typing import Annotated

import typer

from c2v.cli.session import Session
from c2v.errors import UsageError

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
