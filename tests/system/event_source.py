"""A client of event streams: what the HTML standard asks of one, for one task at a time."""

import json
import math
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio
from attrs import field, frozen

from system.client import PATIENCE

__all__ = ["Event", "EventParser", "EventSource", "ask", "source"]

STREAM = "/graphql/stream"


@frozen
class Event:
    """One event; ``id`` is the last one told, which a client comes back with."""

    type: str
    data: str
    id: str = ""

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.data)
        return found


class EventParser:
    """An event stream (HTML standard, section 9.2.6). ``comments`` and ``retry`` are kept too."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self.retry: str | None = None
        self.last_id = ""
        self._id = ""
        self._type = ""
        self._data: list[str] = []
        self._rest = b""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are whole now."""
        *lines, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n")
        events = []
        for line in lines:
            if line:
                self._take(line.decode())
                continue
            self.last_id = self._id
            if self._data:
                events.append(Event(self._type or "message", "\n".join(self._data), self._id))
            self._type, self._data = "", []
        return events

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments.append(value)
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id":
                self._id = value
            case "retry":
                self.retry = value


@frozen
class EventSource:
    """An answer that is an event stream, as it comes."""

    response: httpx.Response
    parts: trio.MemoryReceiveChannel[bytes]
    parser: EventParser = field(factory=EventParser)
    kept: deque[Event] = field(factory=deque)

    async def more(self) -> bool:
        """Read on; whether there was more."""
        try:
            with trio.fail_after(PATIENCE):
                self.kept.extend(self.parser.feed(await self.parts.receive()))
        except trio.EndOfChannel:
            return False
        return True

    async def event(self) -> Event:
        """The next event; fails where the stream ends."""
        while not self.kept:
            assert await self.more(), "the stream has ended"
        return self.kept.popleft()

    async def next(self) -> dict[str, Any]:
        """The payload of the next event, which must be a ``next``."""
        event = await self.event()
        assert event.type == "next", event
        return event.json

    async def title(self) -> str:
        title: str = (await self.next())["data"]["newIncidents"]["title"]
        return title

    async def comment(self) -> str:
        """The next comment that says something."""
        while True:
            for comment in self.parser.comments:
                if comment:
                    self.parser.comments.remove(comment)
                    return comment
            assert await self.more(), "the stream has ended"

    async def rest(self) -> list[Event]:
        """All events to the end of the stream."""
        while await self.more():
            pass
        found = list(self.kept)
        self.kept.clear()
        return found


def _request(query: str, cursor: str | None, variables: Mapping[str, object] | None) -> Any:
    asked: dict[str, object] = {"query": query}
    if cursor is not None:
        asked["extensions"] = {"cursor": cursor}
    if variables is not None:
        asked["variables"] = variables
    return asked


@asynccontextmanager
async def source(
    web: httpx.AsyncClient,
    query: str,
    *,
    get: bool = False,
    cursor: str | None = None,
    last: str | None = None,
    variables: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncGenerator[EventSource, None]:
    """A stream that has begun; ``last`` is the Last-Event-ID. Left, it is broken off."""
    asked = _request(query, cursor, variables)
    given = {"Accept": "text/event-stream", **(headers or {})}
    if last is not None:
        given["Last-Event-ID"] = last
    if get:
        asked = {k: v if isinstance(v, str) else json.dumps(v) for k, v in asked.items()}
        begun = web.stream("GET", STREAM, params=asked, headers=given)
    else:
        begun = web.stream("POST", STREAM, json=asked, headers=given)
    async with begun as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        parts, received = trio.open_memory_channel[bytes](math.inf)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, response, parts)
            yield EventSource(response, received)
            # In a read: generators of httpx that are left between two reads cannot be closed.
            nursery.cancel_scope.cancel()


async def _read(response: httpx.Response, parts: trio.MemorySendChannel[bytes]) -> None:
    with parts:
        async for part in response.aiter_raw():
            parts.send_nowait(part)


async def ask(web: httpx.AsyncClient, query: str, **given: Any) -> list[Event]:
    """All events of a stream that ends by itself."""
    async with source(web, query, **given) as stream:
        return await stream.rest()
