"""Writes of equal size to many sockets, that are begun as one."""

from array import array
from collections.abc import Sequence
from typing import Protocol

__all__ = ["Squad", "Targets"]


class Targets(Protocol):
    """Those whom a squad is on its way to. Nothing else is written to them meanwhile."""

    def write_now(self, at: int, data: bytes) -> None:
        """Write it to one of them by a system call of its own."""
        ...

    def failed(self, at: int, data: bytes, taken: int) -> None:
        """Of what one of them was to get only so many bytes were taken, or -1: it is gone."""
        ...

    def landed(self, count: int) -> None:
        """So many more are done, those that failed too."""
        ...


class Squad:
    """Writes of ``size`` bytes each that begin together: of the same data to all ``heads`` (see
    :meth:`Ring.head`), or to each its part.
    """

    __slots__ = ("data", "heads", "left", "size", "targets")

    def __init__(self, targets: Targets, heads: "array[int]", data: bytes, size: int) -> None:
        self.targets = targets
        self.heads = heads
        self.data = data
        self.size = size
        self.left = len(heads)

    def part(self, at: int) -> bytes:
        """What one of them gets."""
        size = self.size
        return self.data if len(self.data) == size else self.data[at * size : (at + 1) * size]

    def places(self, place: int, begin: int, end: int) -> Sequence[int]:
        """Where the parts of some lie."""
        if len(self.data) == self.size:
            return array("Q", (place,)) * (end - begin)
        return range(place + begin * self.size, place + end * self.size, self.size)
