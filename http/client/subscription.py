"""A subscription in the caller's hands, and the bounded buffer behind it."""

from collections import deque
from contextlib import AbstractContextManager, suppress
from typing import Protocol

import trio

from incident_manager.http.client.errors import ClientError
from incident_manager.http.client.message import Message

__all__ = ["Desk", "Inbox", "Subscription"]


class Desk(Protocol):
    """What an inbox needs of its client."""

    def waiting(self) -> AbstractContextManager[None]:
        """Somebody waits for what only the socket can bring."""
        ...

    def taken(self, inbox: "Inbox") -> None:
        """A message has been taken out."""
        ...

    def leave(self, inbox: "Inbox") -> None:
        """Nobody wants this one any more."""
        ...


class Inbox:
    """At most ``capacity`` messages that wait for the consumer; the client acts on a full one."""

    __slots__ = ("_desk", "_moved", "_over", "begun", "capacity", "error", "key", "messages")

    def __init__(self, desk: Desk, capacity: int) -> None:
        self._desk = desk
        self._moved = trio.Event()
        self._over = False
        self.key = 0
        self.capacity = capacity
        self.messages: deque[Message] = deque()
        self.error: ClientError | None = None
        self.begun = trio.Event()

    @property
    def full(self) -> bool:
        """No room for another one."""
        return len(self.messages) >= self.capacity

    @property
    def over(self) -> bool:
        """Nothing will be put in any more."""
        return self._over

    def put(self, message: Message) -> None:
        """Add a message; the caller has seen to it that there is room."""
        self.messages.append(message)
        self._wake()

    def end(self, error: ClientError | None) -> None:
        """Nothing comes after what is in it; the first call counts."""
        if not self._over:
            self._over = True
            self.error = error
            self.begun.set()
            self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def get(self) -> Message | None:
        """Take the next message out; None at the end. Raises what it ended with."""
        await trio.lowlevel.checkpoint()
        if not self.messages and not self._over:
            with self._desk.waiting():
                while not self.messages and not self._over:
                    await self._moved.wait()
        if self.messages:
            message = self.messages.popleft()
            self._desk.taken(self)
            return message
        if self.error is not None:
            raise self.error
        return None


class Subscription:
    """Iterate over it for its messages; it goes on through reconnects by itself.

    It runs from the call of ``subscribe`` on. Used as ``async with``, it is entered when the server
    has fixed where it begins (what happens from then on is not missed), and unsubscribed on the
    way out; a bare ``async for`` that is left unsubscribes when the object is dropped.

    Iteration ends where the server completes the subscription. It raises ``OperationFailed`` where
    the server ends it with errors, and ``Refused``, ``Unreachable`` or ``TokenFailed`` where the
    client gave up; what was buffered is given out before.
    """

    __slots__ = ("_desk", "_inbox", "_token")

    def __init__(self, desk: Desk, inbox: Inbox) -> None:
        self._desk = desk
        self._inbox = inbox
        self._token = trio.lowlevel.current_trio_token()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Message:
        message = await self._inbox.get()
        if message is None:
            raise StopAsyncIteration
        return message

    async def __aenter__(self) -> "Subscription":
        with self._desk.waiting():
            await self._inbox.begun.wait()
        if self._inbox.error is not None and not self._inbox.messages:
            raise self._inbox.error
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unsubscribe()

    def unsubscribe(self) -> None:
        """Want no more of it. Iteration ends after what is buffered."""
        self._desk.leave(self._inbox)

    def __del__(self) -> None:
        # The collector runs anywhere, in any thread: the client is told in its own time.
        # There may be none left to tell, or __init__ had no Trio to run in.
        with suppress(trio.RunFinishedError, AttributeError):
            self._token.run_sync_soon(self._desk.leave, self._inbox)
