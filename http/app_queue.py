"""The queue of an application that Hypercorn runs: nobody waits for one that has ended."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio
from hypercorn.typing import TaskGroup

__all__ = ["AppQueue"]

Put = Callable[[dict[str, Any]], Awaitable[None]]


class AppQueue:
    """What ``put`` gives to an application. Nobody waits for room where the application has ended
    (:meth:`close`), nor to say that the client has gone: who says so may be who the application
    waits for.
    """

    __slots__ = ("_channel", "_group", "_put")

    def __init__(self, put: Put, group: TaskGroup) -> None:
        self._put = put
        self._group = group
        channel = getattr(put, "__self__", None)
        self._channel = channel if isinstance(channel, trio.MemorySendChannel) else None

    async def put(self, message: dict[str, Any]) -> None:
        """Have the application receive it."""
        if message["type"] == "websocket.disconnect":
            self._group.spawn(self._put_if_there, message)
        else:
            await self._put_if_there(message)

    async def _put_if_there(self, message: dict[str, Any]) -> None:
        with suppress(trio.ClosedResourceError):
            await self._put(message)

    def close(self) -> None:
        """The application has ended."""
        if self._channel is not None:
            self._channel.close()
