"""A small graphql-transport-ws client on trio-websocket, for one task at a time."""

import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

__all__ = ["PATIENCE", "SUBMIT", "Client", "Closed", "alert_input", "connected", "opened"]

PATIENCE = 120.0
"""Seconds until a test that hangs is ended. No test waits for it."""

SUBMIT = """mutation ($input: SubmitAlertInput!) {
    submitAlert(input: $input) { alertId incidentId status message } }"""

Message = dict[str, Any]


def alert_input(title: str, **fields: object) -> dict[str, object]:
    """An alert as both doors take it (all its fields have one spelling)."""
    given = {"source": "tests", "title": title, "description": "d", "severity": "P2"}
    return {**given, **fields}


@frozen
class Closed(Exception):
    """The server has closed the connection."""

    code: int
    reason: str | None


class Client:
    """One connection. What is read while something else is awaited is kept, in its order."""

    def __init__(
        self,
        socket: WebSocketConnection,
        stream: "trio.SocketStream | trio.SSLStream[trio.SocketStream]",
    ) -> None:
        self.socket = socket
        self.stream = stream
        self.kept: deque[Message] = deque()
        self._serial = 0

    async def send(self, kind: str, **fields: object) -> None:
        await self.send_text(json.dumps({"type": kind, **fields}))

    async def send_text(self, text: str | bytes) -> None:
        await self.socket.send_message(text)

    async def read(self) -> Message:
        """The next message off the wire; raises :class:`Closed`."""
        try:
            with trio.fail_after(PATIENCE):
                text = await self.socket.get_message()
        except ConnectionClosed as closed:
            reason = closed.reason
            if reason is None:
                raise
            raise Closed(reason.code, reason.reason) from None
        message: Message = json.loads(text)
        return message

    async def take(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message that is wanted; the others are kept."""
        for message in self.kept:
            if wanted(message):
                self.kept.remove(message)
                return message
        while True:
            message = await self.read()
            if wanted(message):
                return message
            self.kept.append(message)

    async def init(self, payload: Mapping[str, object] | None = None) -> Message:
        """``connection_init``; the ``connection_ack``."""
        await self.send("connection_init", **({} if payload is None else {"payload": payload}))
        return await self.take(lambda message: message["type"] == "connection_ack")

    async def ping(self, payload: Mapping[str, object] | None = None) -> Message:
        """``ping``; its ``pong``. What was sent before it has been handled by then."""
        self._serial += 1
        await self.send("ping", payload={"serial": self._serial, **(payload or {})})
        return await self.take(lambda message: message["type"] == "pong")

    async def begin(
        self,
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        cursor: str | None = None,
        operation_id: str | None = None,
    ) -> str:
        """``subscribe``; the id, as soon as it is sent."""
        self._serial += 1
        name = f"op{self._serial}" if operation_id is None else operation_id
        payload: dict[str, object] = {"query": query}
        if variables is not None:
            payload["variables"] = variables
        if cursor is not None:
            payload["extensions"] = {"cursor": cursor}
        await self.send("subscribe", id=name, payload=payload)
        return name

    async def subscribe(
        self,
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        cursor: str | None = None,
        operation_id: str | None = None,
    ) -> str:
        """``subscribe`` a stream that has begun when this returns; its id."""
        name = await self.begin(query, variables, cursor=cursor, operation_id=operation_id)
        await self.ping()
        return name

    async def of(self, operation_id: str) -> Message:
        """The next message of an operation."""
        return await self.take(lambda message: message.get("id") == operation_id)

    async def next(self, operation_id: str) -> dict[str, Any]:
        """The payload of the next ``next`` of an operation; anything else of it fails."""
        message = await self.of(operation_id)
        assert message["type"] == "next", message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def error(self, operation_id: str) -> Sequence[Mapping[str, Any]]:
        """The payload of the ``error`` of an operation; anything else of it fails."""
        message = await self.of(operation_id)
        assert message["type"] == "error", message
        payload: Sequence[Mapping[str, Any]] = message["payload"]
        return payload

    async def execute(
        self, query: str, variables: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        """The result of a query or a mutation, after its ``complete``."""
        name = await self.begin(query, variables)
        payload = await self.next(name)
        ended = await self.of(name)
        assert ended["type"] == "complete", ended
        return payload

    async def data(self, query: str, variables: Mapping[str, object] | None = None) -> Any:
        """The data of a query or a mutation that must have no errors."""
        payload = await self.execute(query, variables)
        assert "errors" not in payload, payload
        return payload["data"]

    async def submit(self, title: str, **fields: object) -> dict[str, Any]:
        """Send an alert in by mutation; its ack."""
        data = await self.data(SUBMIT, {"input": alert_input(title, **fields)})
        ack: dict[str, Any] = data["submitAlert"]
        return ack

    async def closed(self) -> Closed:
        """Read to the end; how the server closed."""
        while True:
            try:
                self.kept.append(await self.read())
            except Closed as closed:
                return closed


@asynccontextmanager
async def connected(
    url: str,
    *,
    subprotocols: Sequence[str] = ("graphql-transport-ws",),
    headers: Sequence[tuple[bytes, bytes]] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A WebSocket that has sent nothing yet; closed at the end, broken off if that fails.

    For ``wss`` there must be a ``tls``. Raises :class:`ConnectionRejected` (of trio-websocket) for
    an answer that is no 101.
    """
    place = urlsplit(url)
    assert place.hostname is not None
    with trio.fail_after(PATIENCE):
        stream = await _stream(place.hostname, place.port or 80, tls)
    # The library leaves the stream open where it is the server that closes the WebSocket.
    async with stream, trio.open_nursery() as nursery:
        try:
            with trio.fail_after(PATIENCE):
                socket = await wrap_client_stream(
                    nursery,
                    stream,
                    place.netloc,
                    place.path,
                    subprotocols=list(subprotocols),
                    extra_headers=list(headers),
                )
            yield Client(socket, stream)
            with trio.fail_after(PATIENCE):
                await socket.aclose()
        finally:
            nursery.cancel_scope.cancel()


async def _stream(
    host: str, port: int, tls: ssl.SSLContext | None
) -> "trio.SocketStream | trio.SSLStream[trio.SocketStream]":
    if tls is None:
        return await trio.open_tcp_stream(host, port)
    stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=tls, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


@asynccontextmanager
async def opened(
    url: str,
    payload: Mapping[str, object] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """A WebSocket that is acknowledged."""
    async with connected(url, tls=tls) as client:
        await client.init(payload)
        yield client
