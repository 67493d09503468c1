"""Work of a thread of its own of which only the last thing that was asked for counts."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Found = TypeVar("Found")


class Latest(Generic[Asked, Found]):
    """Does one thing after the other; what is asked for meanwhile waits, the last of it alone.

    So nobody who asks ever waits, and what is found comes in the order in which it was asked for.
    """

    def __init__(
        self,
        work: Callable[[Asked], Found],
        done: Callable[[Asked, Found], None],
        failed: Callable[[Asked, Exception], None],
    ) -> None:
        """Start the thread.

        Args:
            work: finds what is asked for.
            done: told what was found, by the thread.
            failed: told what ``work`` raised, by the thread.
        """
        self._work, self._done, self._failed = work, done, failed
        self._waiting: list[Asked] = []
        self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="c2v-latest", daemon=True)
        self._thread.start()

    def ask(self, what: Asked) -> None:
        """Let this be the next thing to be done, in place of what has not been begun."""
        with self._changed:
            self._waiting = [what]
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after what it is doing now, and wait for that."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if self._ended:
                    return
                what = self._waiting.pop()
            try:
                found = self._work(what)
            except Exception as error:
                self._failed(what, error)
            else:
                self._done(what, found)
