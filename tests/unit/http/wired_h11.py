"""A connection of HTTP/1.1 without a socket, before an application that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import h11
import trio
from attrs import define, field, frozen
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Event, RawData
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from incident_manager.http.direct import Direct
from incident_manager.http.hypercorn_h11 import GuardedH11
from incident_manager.http.web import ROUTES, access_table
from unit.http.served import serving

__all__ = ["Wired", "parsed", "post", "wired"]


@frozen
class _Application:
    app: Any
    direct: Direct

    async def __call__(self, *given: Any) -> None:
        await self.app(*given)


@define
class Wired:
    """A connection of HTTP/1.1, and what it was told to do."""

    protocol: GuardedH11
    events: list[Event] = field(factory=list)

    async def take(self, data: bytes) -> list[type[Event]]:
        """What happens when it comes."""
        self.events.clear()
        await self.protocol.handle(RawData(data))
        kinds = [type(each) for each in self.events]
        return [RawData if issubclass(each, RawData) else each for each in kinds]

    @property
    def written(self) -> bytes:
        return b"".join(each.data for each in self.events if isinstance(each, RawData))

    @property
    def untouched(self) -> bool:
        """h11 has seen nothing, or nothing since the last answer."""
        connection: Any = self.protocol.connection
        return connection.our_state is h11.IDLE and connection.their_http_version is None


@asynccontextmanager
async def wired(**given: Any) -> AsyncIterator[Wired]:
    async with serving() as served, TaskGroup() as group:
        direct = Direct(served.gateway, ROUTES, access_table(served.gateway))
        config = Config()
        for name, value in given.items():
            setattr(config, name, value)
        events: list[Event] = []

        async def send(event: Event) -> None:
            await trio.lowlevel.checkpoint()
            events.append(event)

        app: Any = ASGIWrapper(_Application(served.app, direct))
        places = ("127.0.0.1", 5), ("127.0.0.1", 80)
        state: Any = ConnectionState({})
        context: Any = WorkerContext(None)
        yield Wired(GuardedH11(app, config, context, group, state, False, *places, send), events)


def post(body: bytes, *more: bytes, path: bytes = b"/v1/alerts") -> bytes:
    lines = b"".join(each + b"\r\n" for each in (b"Content-Type: application/json", *more))
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b" % (path, lines)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def parsed(data: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """An answer, as a client reads it that wants nothing behind it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="POST", target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    head, body = client.next_event(), client.next_event()
    assert isinstance(head, h11.Response)
    assert isinstance(body, h11.Data)
    assert isinstance(client.next_event(), h11.EndOfMessage)
    assert client.trailing_data == (b"", False)
    return head.status_code, dict(head.headers), bytes(body.data)
