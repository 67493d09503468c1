"""The line that comes before a connection: what is fetched, from where, and how large it is.

It has to be made of what is on this machine, so a size is that of the weights in fp32, counted from
the architecture.
"""

from __future__ import annotations

from typing import Final

from c2v.encoder.pretrained import find_pretrained
from c2v.encoder.registry import DEFAULT_NAME, NICKNAMES
from c2v.encoder.sources.origins import Origin

_DEFAULT_MEGABYTES: Final = 605


def announcement(name: str, origin: Origin) -> str:
    """One line about what is to be fetched.

    Args:
        name: the name the user asked for.
        origin: where from.
    """
    size = _size(name)
    return f"fetching {name} from {origin.shown}{f' ({size})' if size else ''}"


def _size(name: str) -> str:
    if name == DEFAULT_NAME:
        return f"{_DEFAULT_MEGABYTES} MB"
    known = find_pretrained(NICKNAMES.get(name, name))
    return f"about {known.size_bytes / 1e6:.0f} MB" if known else ""
