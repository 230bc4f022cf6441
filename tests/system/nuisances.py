"""Clients that are in the way when a server stops, each of its own kind."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import trio
from hyperframe.frame import DataFrame, SettingsFrame

from system.client import PATIENCE
from system.harness import Place
from system.readers import SocketStream, deaf_subscriber, dialled, shake, subscription
from system.rude import masked, upgrade
from system.rude_h2 import rude_h2

__all__ = ["ALL", "every", "furious", "head_of"]

HOST = b"Host: 127.0.0.1\r\n"
DESCRIPTIONS = "subscription{newIncidents{title description}}"

Nuisance = Callable[[Place], AbstractAsyncContextManager[None]]


async def head_of(stream: SocketStream) -> bytes:
    """The head of an answer, and what came with it."""
    got = b""
    with trio.fail_after(PATIENCE):
        while b"\r\n\r\n" not in got:
            chunk = await stream.receive_some()
            assert chunk, got
            got += chunk
    return got


@asynccontextmanager
async def says_nothing(place: Place) -> AsyncIterator[None]:
    async with await trio.open_tcp_stream("127.0.0.1", place.port):
        yield


@asynccontextmanager
async def half_a_hello(place: Place) -> AsyncIterator[None]:
    """A TLS handshake that is never finished; in cleartext it is just noise."""
    async with await trio.open_tcp_stream("127.0.0.1", place.port) as stream:
        await stream.send_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        yield


@asynccontextmanager
async def half_a_head(place: Place) -> AsyncIterator[None]:
    async with dialled(place) as stream:
        await stream.send_all(b"POST /v1/alerts HTTP/1.1\r\n" + HOST + b"X-Half")
        yield


@asynccontextmanager
async def half_a_body(place: Place) -> AsyncIterator[None]:
    async with dialled(place) as stream:
        await stream.send_all(
            b"POST /v1/alerts HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
            b'Content-Length: 1000\r\n\r\n{"source":'
        )
        yield


@asynccontextmanager
async def half_an_upgrade(place: Place) -> AsyncIterator[None]:
    async with dialled(place) as stream:
        await stream.send_all(upgrade()[:-2])
        yield


@asynccontextmanager
async def keeps_alive(place: Place) -> AsyncIterator[None]:
    async with dialled(place) as stream:
        await stream.send_all(b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n")
        assert b" 200 " in await head_of(stream)
        yield


@asynccontextmanager
async def watches(place: Place) -> AsyncIterator[None]:
    """A long poll, of which nothing is read."""
    async with dialled(place, window=4096) as stream:
        await stream.send_all(
            b"GET /debug/actors?watch HTTP/1.1\r\n" + HOST + b"Accept: text/event-stream\r\n\r\n"
        )
        assert b" 200 " in await head_of(stream)
        yield


@asynccontextmanager
async def reads_no_stream(place: Place) -> AsyncIterator[None]:
    async with deaf_subscriber(place, subscription(DESCRIPTIONS)):
        yield


@asynccontextmanager
async def answers_no_close(place: Place) -> AsyncIterator[None]:
    async with dialled(place) as stream:
        await shake(stream)
        yield


@asynccontextmanager
async def talks_on(place: Place) -> AsyncIterator[None]:
    """It sends pings without an end, and reads nothing."""
    ping = masked('{"type":"ping","payload":{"x":"' + "x" * 10_000 + '"}}')

    async def talk(stream: SocketStream) -> None:
        try:
            while True:
                await stream.send_all(ping)
        except trio.BrokenResourceError:
            pass  # it has been let go

    async with dialled(place, window=4096) as stream:
        await shake(stream)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, stream)
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def opens_no_window(place: Place) -> AsyncIterator[None]:
    async with deaf_subscriber(place, subscription(DESCRIPTIONS), http2=True):
        yield


@asynccontextmanager
async def half_of_http2(place: Place) -> AsyncIterator[None]:
    """It takes nothing of an answer, and begins a request that it does not finish."""
    async with rude_h2(place, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as client:
        await client.send(client.headers(1, "/v1/openapi.json"))
        assert await client.status(1) == "200"
        frame = client.headers(3).serialize()
        await client.send(frame[:-3])
        yield


@asynccontextmanager
async def half_an_upload_of_http2(place: Place) -> AsyncIterator[None]:
    async with rude_h2(place) as client:
        fields = [(":method", "POST"), (":scheme", "http"), (":path", "/v1/alerts")]
        more = [(":authority", "127.0.0.1"), ("content-type", "application/json")]
        await client.send(client.headers(1, [*fields, *more], end=False), DataFrame(1, b"{"))
        yield


@asynccontextmanager
async def keeps_http2_alive(place: Place) -> AsyncIterator[None]:
    async with rude_h2(place) as client:
        await client.send(client.headers(1))
        assert await client.status(1) == "200"
        yield


ALL: tuple[Nuisance, ...] = (
    says_nothing,
    half_a_hello,
    half_a_head,
    half_a_body,
    half_an_upgrade,
    keeps_alive,
    watches,
    reads_no_stream,
    answers_no_close,
    talks_on,
    opens_no_window,
    half_of_http2,
    half_an_upload_of_http2,
    keeps_http2_alive,
)


@asynccontextmanager
async def every(place: Place, times: int) -> AsyncIterator[None]:
    """So many of each at once."""
    async with AsyncExitStack() as stack:
        for _ in range(times):
            for nuisance in ALL:
                await stack.enter_async_context(nuisance(place))
        yield


async def furious(place: Place) -> None:
    """Come in, and come back at once whenever it is let go or refused, while anybody listens."""
    while True:
        try:
            async with dialled(place) as stream:
                await stream.send_all(upgrade())
                while await stream.receive_some():
                    pass
        except ConnectionRefusedError:
            return
        except (OSError, trio.BrokenResourceError):
            continue
