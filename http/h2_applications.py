"""The applications that run for the streams of one connection of HTTP/2."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope, TaskGroup

__all__ = ["Applications"]

Put = Callable[[ASGIReceiveEvent], Awaitable[None]]
Send = Callable[[ASGISendEvent | None], Awaitable[None]]


class Applications:
    """Hypercorn's task group, as the streams of one connection see it.

    ``running`` is the number of applications that have not ended: a client that resets its
    streams may have more of them than streams (CVE-2023-44487).

    Nobody waits to say ``http.disconnect``, nor for an application that has ended.
    """

    __slots__ = ("_group", "running")

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self.running = 0

    def spawn(self, func: Callable[..., Any], *args: Any) -> None:
        """Run a task of the connection."""
        self._group.spawn(func, *args)

    async def spawn_app(self, app: AppWrapper, config: Config, scope: Scope, send: Send) -> Put:
        """Run an application; how to give it what it receives."""
        queue: trio.MemorySendChannel[ASGIReceiveEvent] | None = None
        ended = False

        async def send_to_the_end(message: ASGISendEvent | None) -> None:
            nonlocal ended
            if message is not None or ended:
                await send(message)
                return
            ended = True
            if queue is not None:
                queue.close()
            try:
                await send(None)
            finally:
                self.running -= 1

        self.running += 1
        put = await self._group.spawn_app(app, config, scope, send_to_the_end)
        found = getattr(put, "__self__", None)
        if scope["type"] != "http" or not isinstance(found, trio.MemorySendChannel):
            return put
        queue = found

        async def put_later(message: ASGIReceiveEvent) -> None:
            with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
                await put(message)

        async def put_now_or_later(message: ASGIReceiveEvent) -> None:
            if message["type"] == "http.disconnect":
                self._group.spawn(put_later, message)
            else:
                await put_later(message)

        return put_now_or_later
