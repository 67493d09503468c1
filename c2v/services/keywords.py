"""Keyword arguments that stand in a ``TypedDict``, where they are described once for all faces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from c2v.nearest import nearest


def check_keywords(given: Mapping[str, Any], known: type, *, of: str) -> None:
    """Refuse a keyword that ``known``, a ``TypedDict``, does not have, as Python does elsewhere.

    >>> from c2v.services.wanted import Wanted
    >>> check_keywords({"top": 3}, Wanted, of="search")
    >>> check_keywords({"topp": 3}, Wanted, of="search")
    Traceback (most recent call last):
    TypeError: search() got an unexpected keyword argument 'topp'; did you mean 'top'?

    Raises:
        TypeError: there is one.
    """
    names = known.__annotations__
    for name in given:
        if name not in names:
            near = nearest(name, names)
            more = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{of}() got an unexpected keyword argument {name!r}{more}")
