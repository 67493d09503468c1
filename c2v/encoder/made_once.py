"""Properties whose value is made when it is first asked for, and once, however many threads ask."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Owner = TypeVar("Owner")
Value = TypeVar("Value")


class made_once(Generic[Owner, Value]):  # noqa: N801 - used as the decorators of the language are
    """As ``functools.cached_property``, which lets two threads make two values.

    Each object has a lock for each such property, so threads that ask for different ones do not
    wait for each other. Making one may ask for another, as long as they do not go in a circle. What
    raises is tried again by the next who asks.
    """

    def __init__(self, make: Callable[[Owner], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Owner], name: str) -> None:
        self._name = name
        self._lock_name = f"_{name}_lock"

    @overload
    def __get__(self, instance: None, owner: type[Owner]) -> made_once[Owner, Value]: ...

    @overload
    def __get__(self, instance: Owner, owner: type[Owner]) -> Value: ...

    def __get__(
        self, instance: Owner | None, owner: type[Owner]
    ) -> made_once[Owner, Value] | Value:
        if instance is None:
            return self
        made: dict[str, Any] = instance.__dict__  # where the next look-up ends, not coming here
        with made.setdefault(self._lock_name, threading.RLock()):
            if self._name not in made:
                made[self._name] = self._make(instance)
            value: Value = made[self._name]
            return value
