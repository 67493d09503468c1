"""A real terminal for tests: tmux draws what a program writes, and says what is on its screen."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

PATIENCE_SECONDS = 60.0
STILL_SECONDS = 0.4

UNWANTED = ("TMUX", "COLUMNS", "LINES")
"""Of the environment: the window is as wide as it is made."""


class Terminal:
    """A window of tmux with a shell in it; leave the ``with`` block, and all of it is gone."""

    def __init__(self, columns: int, rows: int = 24, **environment: str) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self._folder = tempfile.mkdtemp(prefix="c2v-tmux-")  # names of sockets have to be short
        self._tmux = ["tmux", "-S", f"{self._folder}/s", "-u", "-f", "/dev/null"]
        variables = {
            "LC_ALL": "C.UTF-8", "PS1": "$ ", "COLORTERM": "truecolor",
            "C2V_HOME": os.environ["C2V_HOME"], "PYTHONPATH": str(Path(__file__).parents[1]),
            **environment,
        }  # fmt: skip
        shell = ["env", *(f"{key}={value}" for key, value in variables.items()), "sh"]
        self._call(
            "new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "s", shlex.join(shell)
        )
        self.wait_for(lambda screen: "$" in screen)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._call("kill-server")
        shutil.rmtree(self._folder, ignore_errors=True)

    def c2v(self, *words: str | Path) -> None:
        """Type a command of c2v, which is run by this Python."""
        line = shlex.join([sys.executable, "-m", "c2v", *map(str, words)])
        self.line("clear")
        self.wait_for(lambda screen: screen.strip() == "$")
        self.line(f"clear; {line}; echo exit code $?")

    def line(self, text: str) -> None:
        """Type a line and Enter."""
        self._call("send-keys", "-t", "s", "-l", text)
        self.keys("Enter")

    def type(self, text: str) -> None:
        """Type letters."""
        self._call("send-keys", "-t", "s", "-l", text)

    def keys(self, *names: str) -> None:
        """Press keys by the names that tmux has for them."""
        self._call("send-keys", "-t", "s", *names)

    def resize(self, columns: int, rows: int = 24) -> None:
        """Let the window have another size."""
        self._call("resize-window", "-t", "s", "-x", str(columns), "-y", str(rows))

    def screen(self, *, colours: bool = False) -> str:
        """All lines that are on the screen."""
        return self._call("capture-pane", "-p", *(["-e"] if colours else []), "-t", "s")

    def wait_for(self, seen: str | Callable[[str], bool]) -> str:
        """The screen as soon as it shows that."""
        is_there = (lambda screen: seen in screen) if isinstance(seen, str) else seen
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            screen = self.screen()
            if is_there(screen):
                return screen
            time.sleep(0.02)
        raise AssertionError(f"waited in vain for {seen!r}; the screen shows:\n{self.screen()}")

    def wait_until_still(self, seen: str | Callable[[str], bool]) -> str:
        """The same when nothing has moved on the screen for a while."""
        before = self.wait_for(seen)
        while True:
            time.sleep(STILL_SECONDS)
            if self.wait_for(seen) == before:
                return before
            before = self.screen()

    def _call(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, text=True, timeout=60, check=False,
            env={key: value for key, value in os.environ.items() if not key.startswith(UNWANTED)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def lines_of(screen: str) -> Sequence[str]:
    """The lines with something in them."""
    return [line for line in screen.splitlines() if line.strip()]
