"""A bounded mailbox: a memory channel that knows how long its messages have waited."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Generic, TypeVar

import trio
from attrs import frozen

__all__ = ["Mailbox", "MailboxStatistics"]

T = TypeVar("T")


@frozen
class MailboxStatistics:
    """How full a mailbox is; ``oldest`` is the age of its oldest message in seconds."""

    depth: int
    capacity: int
    oldest: float
    handled: int


class Mailbox(Generic[T]):
    """Messages for one actor, oldest first, at most ``capacity`` of them.

    When it is full, :meth:`put` waits: the senders feel the backpressure, and nothing is lost.
    It outlives the actor that reads it, so that a restarted actor finds what is waiting.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.handled = 0
        self._serial = count()
        self._since: dict[int, float] = {}
        self._send, self._receive = trio.open_memory_channel[tuple[int, T]](capacity)

    async def put(self, message: T) -> None:
        """Deliver a message; waits while the mailbox is full."""
        with self._entered(message) as item:
            await self._send.send(item)

    def put_nowait(self, message: T) -> None:
        """Deliver a message, or :class:`trio.WouldBlock` if the mailbox is full."""
        with self._entered(message) as item:
            self._send.send_nowait(item)

    @contextmanager
    def _entered(self, message: T) -> Iterator[tuple[int, T]]:
        serial = next(self._serial)
        self._since[serial] = trio.current_time()
        try:
            yield serial, message
        except BaseException:
            del self._since[serial]
            raise

    async def get(self) -> T:
        """The oldest message; waits for one."""
        return self._taken(await self._receive.receive())

    def get_nowait(self) -> T:
        """The oldest message, or :class:`trio.WouldBlock` if there is none."""
        return self._taken(self._receive.receive_nowait())

    def _taken(self, item: tuple[int, T]) -> T:
        serial, message = item
        del self._since[serial]
        self.handled += 1
        return message

    def statistics(self) -> MailboxStatistics:
        """How full it is, as of now."""
        oldest = next(iter(self._since.values()), None)
        age = 0.0 if oldest is None else trio.current_time() - oldest
        return MailboxStatistics(len(self._since), self.capacity, age, self.handled)
