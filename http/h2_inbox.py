"""What has come for one stream of HTTP/2 and was not taken yet, and the room it leaves."""

from typing import Final

import trio

__all__ = ["ENOUGH", "Credit", "Inbox", "Room"]

ENOUGH: Final = 16384
"""Bytes that come together before a window is opened by them: a quarter of the first window."""


class Credit:
    """Bytes by which a window may be opened again."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due = 0

    def owe(self, size: int) -> int:
        """So many bytes more; by how many to open the window now."""
        self._due += size
        if self._due < ENOUGH:
            return 0
        due, self._due = self._due, 0
        return due


class Room:
    """The window of a connection, over the windows of its streams.

    What comes opens it again at once, so that a stream of which nothing is taken holds up no other
    one; but what lies in all streams beyond ``most`` bytes opens it when it is taken.
    """

    __slots__ = ("_credit", "_most", "_withheld", "held")

    def __init__(self, most: int) -> None:
        self._most = most
        self._credit = Credit()
        self._withheld = 0
        self.held = 0

    def came(self, size: int) -> int:
        """Bytes came and stay; by how many to open the window now."""
        self.held += size
        return self._release(size)

    def went(self, size: int) -> int:
        """Bytes that had stayed were taken; by how many to open the window now."""
        self.held -= size
        return self._release(0)

    def passed(self, size: int) -> int:
        """Bytes came and did not stay; by how many to open the window now."""
        return self._credit.owe(size)

    def _release(self, more: int) -> int:
        withheld = max(0, self.held - self._most)
        free = self._withheld + more - withheld
        self._withheld = withheld
        return self._credit.owe(free)


class Inbox:
    """Bytes for the application of one stream.

    The stream's window bounds them: ``credit`` tells how to open it again for what was taken. So
    nobody waits to put something in.
    """

    __slots__ = ("_data", "_more", "closed", "credit", "ended")

    def __init__(self) -> None:
        self._data = bytearray()
        self._more = trio.Event()
        self.credit = Credit()
        self.ended = False
        self.closed = False

    def __len__(self) -> int:
        """The bytes in it."""
        return len(self._data)

    def put(self, data: bytes) -> None:
        """Add bytes."""
        self._data += data
        self._more.set()

    def end(self) -> None:
        """Nothing comes after what is in it."""
        self.ended = True
        self._more.set()

    def close(self) -> int:
        """Drop what is in it; how many bytes that was."""
        dropped = len(self._data)
        self._data.clear()
        self.closed = True
        self._more.set()
        return dropped

    async def wait(self) -> None:
        """Wait until there is something in it, or it has ended."""
        await self._more.wait()

    def take(self, most: int) -> bytes:
        """Take at most so many bytes."""
        data = bytes(self._data[:most])
        del self._data[:most]
        if not self._data and not self.ended and not self.closed:
            self._more = trio.Event()
        return data
