"""What a client of HTTP/2 can do to a server: it costs that client its connection, or nothing."""

import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import trio
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from system import certificates
from system.client import PATIENCE
from system.harness import Place, ServerProcess, run
from system.rude import masked
from system.rude_h2 import PREFACE, RudeH2, rude_h2, websocket_headers

MIB = 2**20
CALM = ErrorCodes.ENHANCE_YOUR_CALM
TOP = [(":method", "GET"), (":scheme", "http"), (":authority", "127.0.0.1")]
HEALTH = [*TOP[1:], (":path", "/health/live")]
EVENTS = [*TOP, (":path", "/v1/events"), ("accept", "text/event-stream")]


class Abuse(NamedTuple):
    """One; the codes of the GOAWAY that may follow it, where None is that of no GOAWAY."""

    name: str
    do: Callable[[RudeH2], Awaitable[object]]
    ends: tuple[ErrorCodes | None, ...]


async def settings_flood(rude: RudeH2) -> int:
    return await rude.flood(SettingsFrame(0, {4: 65535 + n % 2}) for n in range(5_000))


def unregistered(kinds: range) -> bytes:
    """A frame of settings of these kinds; hyperframe writes none above 255."""
    body = b"".join(kind.to_bytes(2) + (1).to_bytes(4) for kind in kinds)
    return len(body).to_bytes(3) + b"\x04\x00" + bytes(4) + body


async def unknown_settings(rude: RudeH2) -> int:
    """Of each of 65536 kinds the server would keep the value."""
    return await rude.flood(unregistered(range(n, n + 2000)) for n in range(256, 62_000, 2000))


async def few_unknown_settings(rude: RudeH2) -> int:
    return await rude.flood(unregistered(range(n, n + 1)) for n in range(256, 320))


async def unread_settings(rude: RudeH2) -> None:
    """Never read their acknowledgements."""
    for _ in range(200):
        if not await rude.send(*[SettingsFrame(0, {})] * 100):
            break


async def ping_flood(rude: RudeH2) -> int:
    return await rude.flood(PingFrame(0, b"01234567") for _ in range(10_000))


async def reset_flood(rude: RudeH2) -> int:
    """CVE-2023-44487."""
    frames = (
        frame
        for n in range(1, 3_000, 2)
        for frame in (rude.headers(n, "/v1/incidents"), RstStreamFrame(n, 8))
    )
    return await rude.flood(frames)


async def made_you_reset(rude: RudeH2) -> int:
    """CVE-2025-8671: the window of each stream overflows."""
    frames = (
        frame
        for n in range(1, 3_000, 2)
        for frame in (rude.headers(n, EVENTS), WindowUpdateFrame(n, 2**31 - 1))
    )
    return await rude.flood(frames)


async def late_resets(rude: RudeH2) -> int:
    await rude.send(rude.headers(1))
    return await rude.flood(RstStreamFrame(1, 8) for _ in range(5_000))


async def priority_flood(rude: RudeH2) -> int:
    return await rude.flood(PriorityFrame(n, depends_on=n - 2) for n in range(3, 10_000, 2))


async def priority_cycles(rude: RudeH2) -> int:
    frames = (
        PriorityFrame(n, depends_on=(n + 2 * m) % 200 + 201, exclusive=True)
        for m in range(1, 40)
        for n in range(1, 200, 2)
    )
    return await rude.flood(frames)


async def own_parent(rude: RudeH2) -> None:
    await rude.send(PriorityFrame(1, depends_on=1))


async def window_flood(rude: RudeH2) -> int:
    return await rude.flood(WindowUpdateFrame(0, 1) for _ in range(10_000))


async def window_overflow(rude: RudeH2) -> None:
    await rude.send(WindowUpdateFrame(0, 2**31 - 1), WindowUpdateFrame(0, 2**31 - 1))


async def zero_increment(rude: RudeH2) -> None:
    await rude.send(b"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + bytes(4))


async def huge_initial_window(rude: RudeH2) -> None:
    await rude.send(SettingsFrame(0, {4: 2**31}))


async def negative_windows(rude: RudeH2) -> None:
    """The windows of open streams shrink below nothing."""
    await rude.send(SettingsFrame(0, {4: 100}))
    await rude.send(*(rude.headers(n, "/v1/openapi.json") for n in range(1, 100, 2)))
    for n in range(1, 100, 2):
        await rude.next(HeadersFrame, n)
    await rude.send(SettingsFrame(0, {4: 0}))
    await rude.next(SettingsFrame)
    await rude.send(*(WindowUpdateFrame(n, 1) for n in range(1, 100, 2)))
    await rude.send(SettingsFrame(0, {4: 65535}))
    await rude.data(99)


async def single_bytes(rude: RudeH2) -> int:
    """A window of one byte, again and again."""
    await rude.send(SettingsFrame(0, {4: 0}), rude.headers(1, "/v1/openapi.json"))
    return await rude.flood(WindowUpdateFrame(1, 1) for _ in range(5_000))


async def empty_data(rude: RudeH2) -> int:
    await rude.send(rude.headers(1, [*TOP, (":path", "/graphql")], end=False))
    return await rude.flood(DataFrame(1, b"") for _ in range(10_000))


async def padded_nothing(rude: RudeH2) -> int:
    await rude.send(rude.headers(1, [*TOP, (":path", "/graphql")], end=False))
    frames = (DataFrame(1, b"", pad_length=200, flags=["PADDED"]) for _ in range(5_000))
    return await rude.flood(frames)


async def data_on_a_closed_stream(rude: RudeH2) -> int:
    await rude.send(rude.headers(1, EVENTS, end=False), RstStreamFrame(1, 8))
    return await rude.flood(DataFrame(1, b"x" * 16) for _ in range(5_000))


async def data_on_an_idle_stream(rude: RudeH2) -> None:
    await rude.send(DataFrame(7, b"x"))


async def headers_on_a_closed_stream(rude: RudeH2) -> int:
    await rude.send(rude.headers(1, end=False), RstStreamFrame(1, 8))
    return await rude.flood(rude.headers(1) for _ in range(5_000))


async def continuation_flood(rude: RudeH2) -> int:
    """CVE-2024-27316."""
    head = HeadersFrame(1, rude.encoder.encode(TOP), flags=[])
    await rude.send(head)
    return await rude.flood(ContinuationFrame(1, b"") for _ in range(5_000))


async def endless_headers(rude: RudeH2) -> int:
    await rude.send(HeadersFrame(1, rude.encoder.encode(TOP), flags=[]))
    return await rude.flood(ContinuationFrame(1, bytes(16_384)) for _ in range(60))


async def hpack_bomb(rude: RudeH2) -> int:
    """One large entry of the table, named by one byte each time."""
    fields = [*TOP, (":path", "/"), ("x", "y" * 4000)]
    await rude.send(rude.headers(1, fields))
    block = rude.encoder.encode(fields)
    again = HeadersFrame(3, block + block[-1:] * 16_000, flags=["END_HEADERS", "END_STREAM"])
    return await rude.flood([again] * 100)


async def huge_header_list(rude: RudeH2) -> None:
    fields = [*TOP, (":path", "/"), *((f"x-{n}", "y" * 50) for n in range(3000))]
    block = rude.encoder.encode(fields)
    first, *rest = (block[at : at + 16_000] for at in range(0, len(block), 16_000))
    frames = [HeadersFrame(1, first, flags=["END_STREAM"])]
    frames += [ContinuationFrame(1, each) for each in rest]  # type: ignore[misc]
    frames[-1].flags.add("END_HEADERS")
    await rude.send(*frames)


async def a_huge_frame(rude: RudeH2) -> None:
    """Its head says 16 MiB; the server must not wait for the rest."""
    await rude.send(rude.headers(1, end=False), b"\xff\xff\xff\x00\x00" + (1).to_bytes(4))


async def unknown_frames(rude: RudeH2) -> int:
    return await rude.flood(b"\x00\x00\x08\xbb\x00" + bytes(12) for _ in range(10_000))


async def too_many_streams(rude: RudeH2) -> int:
    """None of them ends."""
    post = [(":method", "POST"), *TOP[1:], (":path", "/v1/alerts")]
    return await rude.flood(rude.headers(n, post, end=False) for n in range(1, 1500, 2))


async def goaway_and_on(rude: RudeH2) -> int:
    frames = [GoAwayFrame(0), *(rude.headers(n) for n in range(1, 200, 2))]
    return await rude.flood(frames)


async def push_promise(rude: RudeH2) -> None:
    await rude.send(b"\x00\x00\x04\x05\x04" + (1).to_bytes(4) + (2).to_bytes(4))


async def no_pseudo_headers(rude: RudeH2) -> None:
    await rude.send(rude.headers(1, [("x", "y")]))


async def trailers_for_ever(rude: RudeH2) -> int:
    post = [(":method", "POST"), *TOP[1:], (":path", "/v1/alerts")]
    await rude.send(rude.headers(1, post, end=False))
    return await rude.flood(rude.headers(1, [("x", "y")]) for _ in range(1000))


ABUSES = (
    Abuse("settings flood", settings_flood, (CALM,)),
    Abuse("unknown settings", unknown_settings, (CALM,)),
    Abuse("a few unknown settings", few_unknown_settings, (CALM,)),
    Abuse("settings never read", unread_settings, (CALM,)),
    Abuse("ping flood", ping_flood, (CALM,)),
    Abuse("rapid reset", reset_flood, (CALM,)),
    Abuse("made you reset", made_you_reset, (CALM,)),
    Abuse("RST_STREAM of what is closed", late_resets, (CALM,)),
    Abuse("priorities of idle streams", priority_flood, (CALM,)),
    Abuse("priorities in cycles", priority_cycles, (CALM,)),
    Abuse("its own parent", own_parent, (ErrorCodes.PROTOCOL_ERROR,)),
    Abuse("WINDOW_UPDATE flood", window_flood, (CALM,)),
    Abuse("window overflow", window_overflow, (ErrorCodes.FLOW_CONTROL_ERROR,)),
    Abuse("WINDOW_UPDATE of 0", zero_increment, (ErrorCodes.PROTOCOL_ERROR,)),
    Abuse("initial window of 2^31", huge_initial_window, (ErrorCodes.FLOW_CONTROL_ERROR,)),
    Abuse("windows of one byte", single_bytes, (CALM,)),
    Abuse("empty DATA", empty_data, (CALM,)),
    Abuse("DATA of nothing but padding", padded_nothing, (CALM,)),
    Abuse("DATA on a closed stream", data_on_a_closed_stream, (CALM,)),
    Abuse("DATA on an idle stream", data_on_an_idle_stream, (ErrorCodes.PROTOCOL_ERROR,)),
    Abuse("HEADERS on a closed stream", headers_on_a_closed_stream, (CALM,)),
    Abuse("CONTINUATION flood", continuation_flood, (CALM, ErrorCodes.PROTOCOL_ERROR)),
    Abuse("endless headers", endless_headers, (CALM,)),
    Abuse("HPACK bomb", hpack_bomb, (CALM, ErrorCodes.PROTOCOL_ERROR)),
    Abuse("huge header list", huge_header_list, (CALM, ErrorCodes.PROTOCOL_ERROR)),
    Abuse("a frame of 16 MiB", a_huge_frame, (ErrorCodes.FRAME_SIZE_ERROR,)),
    Abuse("unknown frames", unknown_frames, (CALM,)),
    Abuse("too many streams", too_many_streams, (CALM, ErrorCodes.PROTOCOL_ERROR)),
    Abuse("requests after GOAWAY", goaway_and_on, (None, ErrorCodes.PROTOCOL_ERROR)),
    Abuse("PUSH_PROMISE of a client", push_promise, (ErrorCodes.PROTOCOL_ERROR,)),
    Abuse("no pseudo-headers", no_pseudo_headers, (ErrorCodes.PROTOCOL_ERROR,)),
    Abuse("trailers again and again", trailers_for_ever, (CALM, ErrorCodes.STREAM_CLOSED)),
)


def resident(server: ServerProcess) -> int:
    """The memory (bytes resident) of the process."""
    status = Path(f"/proc/{server.running.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def descriptors(server: ServerProcess) -> int:
    """The files that the process has open."""
    return len(list(Path(f"/proc/{server.running.pid}/fd").iterdir()))


@asynccontextmanager
async def another(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """Another client, by HTTP/2."""
    verify = place.tls.trust() if place.tls is not None else True
    async with httpx.AsyncClient(
        base_url=place.http, http2=True, http1=False, verify=verify, timeout=PATIENCE
    ) as client:
        assert (await client.get("/health/live")).status_code == 200
        yield client


async def asks_on(client: httpx.AsyncClient, *, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    while True:
        answer = await client.get("/health/live")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")


@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "tls"])
async def test_it_costs_the_others_nothing(tmp_path: Path, secure: bool) -> None:
    tls = certificates.make(tmp_path / "tls") if secure else None
    async with run(tmp_path, tls=tls) as server, another(server.place) as other:
        files, memory = descriptors(server), resident(server)
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: asks_on(other, task_status=task_status))
            for abuse in ABUSES:
                async with rude_h2(server.place) as rude:
                    await abuse.do(rude)
                    assert await rude.end() in abuse.ends, (abuse.name, server.complaints())
            nursery.cancel_scope.cancel()
        async with another(server.place) as more:
            with trio.fail_after(PATIENCE):
                while descriptors(server) > files + 1:
                    await more.get("/health/live")
        assert resident(server) - memory < 48 * MIB
        assert server.complaints() == []
        assert await server.stop() == 0


async def test_a_websocket_that_is_not_served_holds_up_no_other_stream(tmp_path: Path) -> None:
    """Its client gives it no window, so its application waits with all that it could read."""
    ping = masked('{"type":"ping","payload":{"x":"' + "x" * 4000 + '"}}')
    limits = {"limits__stall_timeout": "1h", "limits__outbox_bytes": 65536}
    async with run(tmp_path, **limits) as server, rude_h2(server.place) as rude:
        await rude.send(SettingsFrame(0, {4: 0}), rude.headers(1, websocket_headers(), end=False))
        assert await rude.status(1) == "200"
        window = 65535
        number = 1
        await rude.send(DataFrame(1, masked('{"type":"connection_init"}')))
        while window > 8192:
            await rude.send(*[DataFrame(1, ping)] * 2)
            window -= 2 * len(ping)
            # The answer comes after what was sent before: no window is missing that is not held.
            number += 2
            await rude.send(rude.headers(number, [(":method", "HEAD"), *HEALTH]))
            assert await rude.status(number) == "200"
            window += sum(
                frame.window_increment
                for frame in rude.taken(WindowUpdateFrame)
                if frame.stream_id == 1
            )
        await rude.send(WindowUpdateFrame(1, 2**30), WindowUpdateFrame(0, 2**30))
        assert await rude.data(1)
        assert server.complaints() == []


async def test_a_stopping_server_says_goodbye_and_finishes_what_runs(tmp_path: Path) -> None:
    post = [(":method", "POST"), *TOP[1:], (":path", "/graphql")]
    body = b'{"query":"{serverVersion}"}'
    async with run(tmp_path) as server, rude_h2(server.place) as rude:
        fields = [*post, ("content-type", "application/json"), ("content-length", str(len(body)))]
        await rude.send(rude.headers(1, fields, end=False), DataFrame(1, body[:5]))
        await rude.send(PingFrame(0, b"01234567"))
        await rude.next(PingFrame)
        server.signal(signal.SIGTERM)
        goodbye = await rude.next(GoAwayFrame)
        assert (goodbye.error_code, goodbye.last_stream_id) == (ErrorCodes.NO_ERROR, 1)
        await rude.send(rude.headers(3))
        assert (await rude.next(RstStreamFrame, 3)).error_code == ErrorCodes.REFUSED_STREAM
        await rude.send(DataFrame(1, body[5:], flags=["END_STREAM"]))
        assert int(await rude.status(1)) in (200, 400, 503)
        assert await rude.end() == ErrorCodes.NO_ERROR
        assert await server.wait() == 0
        assert server.complaints() == []


@pytest.mark.slow
async def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    async with run(tmp_path) as server, rude_h2(server.place) as rude:
        await rude.send(rude.headers(1), PingFrame(0, b"01234567"))
        assert await rude.status(1) == "200"
        await rude.send(rude.headers(3, EVENTS, end=False), RstStreamFrame(3, 8))
        assert await rude.end() == ErrorCodes.NO_ERROR
        assert rude.over


@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "tls"])
async def test_a_preface_that_is_none_ends_the_connection(tmp_path: Path, secure: bool) -> None:
    tls = certificates.make(tmp_path / "tls") if secure else None
    async with run(tmp_path, tls=tls) as server:
        for preface in (
            PREFACE[:18] + b"XX\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" if secure else b"PRI * HTTP/2.1\r\n\r\n",
            bytes(24),
            b"\x16\x03\x01" + bytes(30),
        ):
            async with rude_h2(server.place, preface=preface) as rude:
                if secure:
                    assert await rude.end() in (
                        ErrorCodes.PROTOCOL_ERROR,
                        ErrorCodes.FRAME_SIZE_ERROR,
                    )
                with trio.fail_after(PATIENCE):
                    while not secure and not rude.over:  # an answer of HTTP/1.1, or none
                        await rude.look()
        async with another(server.place):
            assert server.complaints() == []
