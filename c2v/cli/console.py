"""The consoles that every table, notice, error and progress line goes through."""

from typing import Any

from rich.console import Console
from rich.text import Text

from c2v.cli.text import printable

WIDE_COLUMNS = 400
"""Width of tables that go to a file or a pipe: nothing is cut there."""


class PlainConsole(Console):
    """A rich console to which all text is text: no markup, no emoji codes, no control characters.

    Plain strings, cells of tables included, are neutralised here; whoever makes a
    :class:`~rich.text.Text` of something from outside calls :func:`c2v.cli.text.printable`.
    """

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, **options)
        if not self.is_terminal and "width" not in options:
            self.width, self.soft_wrap = WIDE_COLUMNS, True

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as rich's Text, with no character in it that does anything."""
        options |= {"markup": False, "emoji": False}
        return super().render_str(printable(text), **options)

    def on_broken_pipe(self) -> None:
        """Whoever reads has left: c2v's own business (rich would exit with an error)."""
        raise BrokenPipeError
