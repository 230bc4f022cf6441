"""The header lines of a request, as ASGI has them."""

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Lines", "Named"]


class Named(Protocol):
    """What can be asked for the first value of a name, in any case; None where it is not there."""

    def get(self, key: str, /) -> str | None:
        """The first value of that name."""
        ...

    def __contains__(self, key: str, /) -> bool:
        """Whether there is one."""
        ...


class Lines:
    """Names in any case, and values, in Latin-1 (ASGI, "Connection Scope"). Of lines of the same
    name the first counts where one value is asked for.
    """

    __slots__ = ("_first", "_lines")

    def __init__(self, lines: Iterable[tuple[bytes, bytes]]) -> None:
        self._lines = [(name.lower(), value) for name, value in lines]
        self._first = dict(reversed(self._lines))

    def get(self, key: str, /) -> str | None:
        """The first value of that name; None where there is none."""
        found = self._first.get(key.lower().encode("latin-1"))
        return None if found is None else found.decode("latin-1")

    def getlist(self, key: str, /) -> list[str]:
        """All values of that name, in their order."""
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in self._lines if name == wanted]

    def __contains__(self, key: str, /) -> bool:
        """Whether there is a line of that name."""
        return key.lower().encode("latin-1") in self._first
