"""Whose turn it is to send on a connection of HTTP/2."""

from collections import OrderedDict

__all__ = ["Turns"]


class Turns:
    """The streams that have something to send, one after the other.

    Every step takes constant time, whatever the number of streams. The priorities of RFC 7540 are
    deprecated (RFC 9113, section 5.3), and a tree of them is the client's to grow; a server need
    not look at them.
    """

    __slots__ = ("_ready",)

    def __init__(self) -> None:
        self._ready: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        """How many have something to send."""
        return len(self._ready)

    def add(self, stream_id: int) -> None:
        """It has something to send; it keeps its place if it had one."""
        self._ready.setdefault(stream_id)

    def discard(self, stream_id: int) -> None:
        """It has nothing, or may not."""
        self._ready.pop(stream_id, None)

    def next(self) -> int | None:
        """The one whose turn it is, which becomes the last; None where there is none."""
        if not self._ready:
            return None
        stream_id = next(iter(self._ready))
        self._ready.move_to_end(stream_id)
        return stream_id
