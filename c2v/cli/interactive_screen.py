"""The screen of ``c2v search -i``: a line to type in, the results, a picture of the chosen one."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prompt_toolkit.application import Application, get_app_session, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    DynamicContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from c2v.cli.answers import passed_filters
from c2v.cli.interactive_preview import Preview
from c2v.cli.latest import Latest
from c2v.cli.play import play_at
from c2v.cli.render import clock, short_path
from c2v.cli.session import Session
from c2v.cli.text import fitted, printable
from c2v.errors import EXIT_INTERRUPTED, EXIT_OK, C2VError
from c2v.services.playing import PlayFrom

if TYPE_CHECKING:
    from c2v.search.results import Answer, Moment
    from c2v.services.as_typed import AsTyped

_PROMPT = "search: "
_KEYS = "up/down choose   Enter plays   Esc leaves"
_QUIET_SECONDS = 0.12
_ABOVE, _BELOW = 2, 3
"""Lines over and under the results."""
_RANK, _TIMES, _SCORE, _GAP = 3, 8, 7, 2
_WEAK = " weak"
_STYLE = Style.from_dict(
    {"prompt": "bold", "dim": "ansibrightblack", "time": "ansicyan", "bad": "ansiyellow",
     "chosen": "reverse"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Room:
    """How the cells of a screen are shared out."""

    columns: int
    rows: int
    """Of the list of results."""
    picture: tuple[int, int] = (0, 0)
    """Columns and rows of the preview; none where there is no room."""
    is_beside: bool = True
    """Whether it is to the right of the list; else it is below."""

    @classmethod
    def of(cls, size: Size, *, pictures: bool) -> "Room":
        """For a whole screen; a cell is about twice as high as wide.

        >>> Room.of(Size(rows=24, columns=80), pictures=True)
        Room(columns=48, rows=19, picture=(30, 15), is_beside=True)
        """
        rows = max(1, size.rows - _ABOVE - _BELOW)
        if pictures and size.columns >= 70 and rows >= 11:
            high = min(22 if size.columns >= 120 else 15, rows)
            return cls(size.columns - 2 * high - _GAP, rows, (2 * high, high))
        if pictures and rows >= 22 and size.columns >= 24:
            return cls(size.columns, rows - 12, (22, 11), is_beside=False)
        return cls(size.columns, rows)


class Remarks(Session):
    """A session whose remarks wait, for there is something else on the screen."""

    @cached_property
    def notices(self) -> list[str]:
        """What is good to know about the last question."""
        return []

    @cached_property
    def problems(self) -> list[str]:
        """What could not be done; it is still to be said when the screen is gone."""
        return []

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def problem(self, text: str) -> None:
        self.problems.append(text)


class Screen:
    """Runs until it is left; ``answer`` is then the last one that was shown."""

    def __init__(
        self, session: Remarks, asked: "AsTyped", words: str, play_command: str | None
    ) -> None:
        self.answer: Answer | None = None
        self.shown_for: str | None = None
        """The text whose answer was drawn last."""
        self._answered: str | None = None
        self._session = session
        self._output = get_app_session().output
        self._asked = asked
        self._play_command = play_command
        self._chosen = 0
        self._remark: tuple[str, str] = ("class:dim", "")
        self._code = EXIT_OK
        self._is_playing = self._is_asking = False
        self._preview = Preview(session, self._redraw, self._crash)
        self._words = Buffer(
            document=Document(words), multiline=False, on_text_changed=lambda _: self._ask()
        )
        self._app: Application[None] = self._application()
        self._finder: Latest[str, Answer | None] = Latest(asked.answer, self._found, self._lacks)

    def run(self) -> int:
        """Show it; the exit code."""
        before = signal.signal(signal.SIGTERM, lambda *_: self._end())
        try:
            self._app.run(pre_run=self._ask)
        finally:
            self._finder.stop()
            self._preview.stop()
            signal.signal(signal.SIGTERM, before)
        return self._code

    # -- what is asked and found; the last three are called by other threads ----------------------

    def _ask(self) -> None:
        """Ask when all keys that have come are in the text: of what is pasted, once."""
        if self._app.loop is not None and not self._is_asking:
            self._is_asking = True
            self._app.loop.call_soon(self._ask_now)

    def _ask_now(self) -> None:
        self._is_asking = False
        self._finder.ask(self._words.text)

    def _found(self, text: str, answer: "Answer | None") -> None:
        self._in_loop(lambda: self._take(text, answer))

    def _lacks(self, text: str, error: Exception) -> None:
        if not isinstance(error, C2VError):
            self._crash(error)
            return
        sentence = f"{error.message} ({error.hint})" if error.hint else error.message
        self._in_loop(lambda: self._say("class:bad", sentence))

    def _redraw(self) -> None:
        self._app.invalidate()

    def _crash(self, error: Exception) -> None:
        self._in_loop(lambda: self._app.exit(exception=error))

    def _end(self) -> None:
        self._code = EXIT_INTERRUPTED
        self._in_loop(self._leave)

    def _in_loop(self, act: Callable[[], None]) -> None:
        if self._app.loop is not None and not self._app.loop.is_closed():
            self._app.loop.call_soon_threadsafe(act)

    # -- what happens on the screen ---------------------------------------------------------------

    def _take(self, text: str, answer: "Answer | None") -> None:
        """Show an answer; one that comes when all is rubbed out says nothing any more."""
        if answer is not None and not (self._words.text.strip() or self._asked.has_other_parts):
            return
        before = self._moment() if self._chosen else None  # it was chosen by somebody
        self.answer, self._answered, self._chosen = answer, text, 0
        for place, moment in enumerate(answer or ()):
            if before and (moment.path, moment.best) == (before.path, before.best):
                self._chosen = place
        notices = self._session.notices
        about = notices[-1] if notices else ""
        notices.clear()
        self._say("class:dim", about or _about(answer))
        self._look_soon()

    def _say(self, style: str, sentence: str) -> None:
        self._remark = (style, printable(sentence))
        self._app.invalidate()

    def _moment(self) -> "Moment | None":
        return self.answer[self._chosen] if self.answer else None

    def _choose(self, step: int) -> None:
        if self.answer:
            self._chosen = max(0, min(len(self.answer) - 1, self._chosen + step))
            self._look_soon()

    def _look_soon(self) -> None:
        """Show the picture of the chosen moment, if it has to be read when nothing was typed for a
        while: that takes time from the next search."""
        moment, loop = self._moment(), self._app.loop
        if moment is None or self._preview.has(moment):
            self._preview.show(moment)
        elif loop is not None:
            loop.call_later(_QUIET_SECONDS, lambda: self._look_at(moment))

    def _look_at(self, moment: "Moment") -> None:
        if moment is self._moment():
            self._preview.show(moment)
            self._app.invalidate()

    def _leave(self) -> None:
        if self._app.is_running and not self._is_playing:
            self._app.exit()

    async def _play(self, moment: "Moment") -> None:
        self._is_playing = True
        place = PlayFrom(moment.path, moment.start)
        try:
            await run_in_terminal(
                lambda: play_at(self._session, place, self._play_command), in_executor=True
            )
        except C2VError as error:
            self._lacks("", error)
        finally:
            self._is_playing = False
            self._preview.forget_screen()

    # -- keys and layout --------------------------------------------------------------------------

    def _application(self) -> "Application[None]":
        console = self._session.out
        depth = {"truecolor": ColorDepth.DEPTH_24_BIT, "256": ColorDepth.DEPTH_8_BIT}
        made: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            style=_STYLE,
            output=self._output,
            full_screen=True,
            color_depth=ColorDepth.DEPTH_1_BIT
            if console.no_color
            else depth.get(console.color_system or ""),
            after_render=lambda _: self._rendered(),
        )
        made.ttimeoutlen = 0.05  # after Esc: whether it begins the code of another key
        return made

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        for names, act in (
            (("up", "c-p"), lambda: self._choose(-1)),
            (("down", "c-n"), lambda: self._choose(1)),
            (("pageup",), lambda: self._choose(-self._room().rows)),
            (("pagedown",), lambda: self._choose(self._room().rows)),
            (("escape", "c-c", "c-d", "<sigint>"), self._leave),
        ):
            for name in names:
                keys.add(name, eager=True)(lambda _event, act=act: act())

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            moment = self._moment()
            if moment is not None:
                event.app.create_background_task(self._play(moment))

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            self._preview.forget_screen()
            event.app.suspend_to_background()

        return keys

    def _room(self) -> Room:
        return Room.of(self._output.get_size(), pictures=self._preview.possible)

    def _layout(self) -> Layout:
        def text(of: Callable[[], StyleAndTextTuples], **options: Any) -> Window:
            return Window(FormattedTextControl(of), always_hide_cursor=True, **options)

        line = VSplit(
            [
                text(lambda: [("class:prompt", _PROMPT)], width=len(_PROMPT), height=1),
                Window(BufferControl(self._words), height=1),
            ]
        )
        found = text(self._results)
        picture = text(lambda: self._preview.lines(*self._room().picture))

        def body() -> VSplit | HSplit | Window:
            room = self._room()
            columns, rows = room.picture
            if not columns:
                return found
            picture.width, picture.height = columns, None if room.is_beside else rows
            if room.is_beside:
                return VSplit([found, Window(width=_GAP), picture])
            return HSplit([found, Window(height=1), picture])

        last = [
            text(lambda: [("", self._fitted(self._where(), tail=40))], height=1),
            text(lambda: [(self._remark[0], self._fitted(self._remark[1]))], height=1),
            text(lambda: [("class:dim", self._fitted(_KEYS))], height=1),
        ]
        return Layout(HSplit([line, Window(height=1), DynamicContainer(body), *last]), line)

    def _where(self) -> str:
        """The chosen moment in full, which has hardly room in the list."""
        moment = self._moment()
        if moment is None:
            return ""
        missing = ", missing" if moment.missing else ""
        span = f"{clock(moment.start)}-{clock(moment.end)} of {clock(moment.duration)}{missing}"
        return f"{printable(short_path(moment.path))}  {span}"

    def _fitted(self, sentence: str, tail: int = 0) -> str:
        columns = self._output.get_size().columns
        return fitted(sentence, columns, tail=min(tail, 2 * columns // 3)).rstrip()

    def _results(self) -> StyleAndTextTuples:
        """Those around the chosen one that there is room for."""
        room = self._room()
        first = max(0, min(self._chosen - room.rows // 2, len(self.answer or ()) - room.rows))
        lines: StyleAndTextTuples = []
        shown = (self.answer or ())[first : first + room.rows]
        for place, moment in enumerate(shown, start=first):
            is_weak = self.answer is not None and moment.confidence < self.answer.bar
            is_chosen = place == self._chosen
            lines += _row(moment, room.columns, is_chosen=is_chosen, is_weak=is_weak)
        return lines

    def _rendered(self) -> None:
        self.shown_for = self._answered
        room = self._room()
        columns, rows = room.picture
        place = (room.columns + _GAP, _ABOVE) if room.is_beside else (0, _ABOVE + room.rows + 1)
        drawn = self._preview.draw(*place, columns, rows)
        if drawn:
            self._output.write_raw(drawn)
            self._output.flush()


def _row(moment: "Moment", columns: int, *, is_chosen: bool, is_weak: bool) -> StyleAndTextTuples:
    """A result as one line of so many cells."""
    name = max(4, columns - _RANK - _TIMES - _SCORE - len(_WEAK) - 4)
    path = fitted(printable(short_path(moment.path)), name, tail=2 * name // 3)
    chosen = "class:chosen " if is_chosen else ""
    style = chosen + ("class:dim" if moment.missing or is_weak else "")
    return [
        (f"{chosen}class:dim", f"{'>' if is_chosen else ' '}{moment.rank:>{_RANK}} "),
        (style, path),
        (f"{chosen}class:time", f"{clock(moment.best):>{_TIMES + 1}}"),
        (style, f"{moment.score:>{_SCORE + 1}.3f}{_WEAK if is_weak else ' ' * len(_WEAK)}"),
        ("", "\n"),
    ]


def _about(answer: "Answer | None") -> str:
    if answer is None:
        return "type what to look for"
    if not answer:
        return f"nothing found{passed_filters(answer)}"
    passed = passed_filters(answer)
    if not answer.matched:
        return f"nothing here matches{passed}; these are the closest"
    return f"{answer.model}, {answer.strategy}, {answer.elapsed_ms:.0f} ms{passed}"
