"""Results that are sequences: of moments, of labels, of measurements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

Item = TypeVar("Item")


class ResultSequence(Sequence[Item]):
    """The sequence of its ``results``, which a frozen dataclass below it holds."""

    __slots__ = ()
    results: tuple[Item, ...]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.results)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, place: int | slice) -> Item | tuple[Item, ...]:
        return self.results[place]
