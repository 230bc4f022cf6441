"""The application of one WebSocket in the task that reads its connection: it costs no other."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, TaskGroup

__all__ = ["NURSERY", "OwnTask", "Source", "nursery_of"]

NURSERY: Final = "websocket_nursery"
"""Where the scope's ``state`` has the nursery of the connection's tasks, which outlasts the
application.
"""

Message = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]


class Source(Protocol):
    """What makes messages of bytes, and puts them."""

    unread: bool
    """Whether there may be more in what it has taken."""

    async def take(self, data: bytes | None) -> None:
        """Take bytes: none at the end of the connection. It waits where that was told before."""
        ...

    async def go_on(self) -> None:
        """Go on with what it has taken."""
        ...


def nursery_of(scope: Mapping[str, Any]) -> trio.Nursery | None:
    """The nursery that the server lends; None where it is one that does not."""
    found = scope.get("state", {}).get(NURSERY)
    return found if isinstance(found, trio.Nursery) else None


class OwnTask:
    """Hypercorn's task group, as a WebSocket sees it that has its connection alone.

    Its application does not run beside the reader with a queue between them: whoever reads the
    connection has it :meth:`run`, and what the client sends is read when the application asks for
    it. Nothing is read ahead of an application that does not ask.

    What ``read`` gives is for the ``source``, which puts what it is for the application.
    """

    __slots__ = ("_application", "_begun", "_ended", "_group", "_messages", "_read", "_source")

    def __init__(
        self, group: TaskGroup, source: Source, read: Callable[[], Awaitable[bytes | None]]
    ) -> None:
        self._group = group
        self._source = source
        self._read = read
        self._messages: list[Message] = []  # few: no more is read while there are some
        self._application: tuple[AppWrapper, Config, Any, Send] | None = None
        self._begun = False
        self._ended = False

    @property
    def waiting(self) -> bool:
        """Whether there is something for the application."""
        return bool(self._messages)

    def spawn(self, func: Callable[..., Any], *args: Any) -> None:
        """Run a task of the connection."""
        self._group.spawn(func, *args)

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Any, send: Send
    ) -> Callable[[Message], Awaitable[None]]:
        """Keep an application to run; how to give it what it receives."""
        self._application = app, config, scope, send
        return self.put

    async def put(self, message: Message) -> None:
        """Have the application receive it, if it has not ended."""
        if not self._ended:
            self._messages.append(message)

    async def receive(self) -> Message:
        """What ASGI calls ``receive``."""
        if self._begun and (self._messages or self._source.unread):
            await trio.lowlevel.checkpoint()  # others have a turn: many may have come at once
        self._begun = True
        while not self._messages:
            if self._source.unread:
                await self._source.go_on()
            else:
                await self._source.take(await self._read())
        return self._messages.pop(0)

    async def run(self) -> None:
        """Run the application, if there is one; its failure ends it, and is logged."""
        if self._application is None:
            return
        app, config, scope, send = self._application
        self._application = None
        try:
            if isinstance(app, ASGIWrapper):  # what it would do, without its frame
                await app.app(scope, self.receive, send)  # type: ignore[arg-type]
            else:
                sync = trio.to_thread.run_sync, trio.from_thread.run
                await app(scope, self.receive, send, *sync)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 -- ends this WebSocket, not the others
            await config.log.exception("Error in ASGI Framework")
        except BaseExceptionGroup as group:
            failures, rest = group.split(Exception)
            if failures is not None:
                await config.log.exception("Error in ASGI Framework")
            if rest is not None:
                raise rest from None
        finally:
            self._ended = True
            self._messages.clear()
            await send(None)
