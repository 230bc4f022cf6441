"""The kernel's ring, on real sockets; and a server whose clients are written to by it."""

import errno
import os
import platform
import socket
from array import array
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx
import pytest
import trio

from incident_manager.http.io_uring import BELL, Ring, RingUnavailable
from incident_manager.http.squad import Squad
from lacking import lacking
from system.client import PATIENCE, opened
from system.harness import run
from unit.http.test_squad import Nobody

STREAM = "subscription{newIncidents{title}}"
CLIENTS = 30


@pytest.fixture
def ring() -> Iterator[Ring]:
    try:
        made = Ring(8)
    except RingUnavailable as reason:
        lacking(f"io_uring: {reason}")
    with made:
        yield made


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    with ExitStack() as stack:
        found = [socket.socketpair() for _ in range(6)]
        for pair in found:
            for end in pair:
                stack.enter_context(end)
        yield found


def results(ring: Ring, count: int) -> dict[int, int]:
    found: dict[int, int] = {}
    while len(found) < count:
        ring.submit(wait=True)
        found |= dict(zip(*ring.completed(), strict=True))
    return found


@pytest.mark.parametrize("apart", [False, True])
def test_each_gets_its_own(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]], apart: bool
) -> None:
    for turn in range(5):  # round the ring, more than once
        sent = {number: b"%d of %d" % (number, turn) for number in range(1, 7)}
        ends = [near.fileno() for near, _ in pairs]
        ring.send(1, list(zip(ends, sent.values(), strict=True)), 6 if apart else 0)
        assert ring.submit() == 0
        assert results(ring, 6) == {number: len(data) for number, data in sent.items()}
        assert [far.recv(100) for _, far in pairs] == list(sent.values())
    assert ring.completed() == ([], [])


@pytest.mark.parametrize("apart", [0, 2, 6])
@pytest.mark.parametrize("same", [True, False])
def test_many_are_sent_to_as_one(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]], apart: int, same: bool
) -> None:
    heads = array("Q", [Ring.head(near.fileno()) for near, _ in pairs])
    for turn in range(5):
        parts = [b"%d %d" % (turn, 0 if same else number) for number in range(6)]
        data = parts[0] if same else b"".join(parts)
        squad = Squad(Nobody(), heads, data, 3)
        ring.spread(turn << 32 | 1, heads, squad.places(ring.place(data), 0, 6), 3, apart)
        assert ring.submit() == 0
        assert results(ring, 6) == dict.fromkeys(range(turn << 32 | 1, (turn << 32) + 7), 3)
        assert [far.recv(100) for _, far in pairs] == parts


def test_what_cannot_be_sent_is_told(
    ring: Ring, pairs: list[tuple[socket.socket, socket.socket]]
) -> None:
    (full, slow), (left, _), (closed, far), *_ = pairs
    full.setblocking(False)
    large = bytes(10_000_000)
    far.close()
    ring.send(1, [(full.fileno(), large), (full.fileno(), large), (closed.fileno(), b"late")], 0)
    ring.send(4, [(2**30, b"nowhere"), (left.fileno(), b""), (-1, b"closed")], 0)
    assert ring.submit() == 0
    found = results(ring, 6)
    assert 0 < found[1] < len(large)
    assert found[2] == -errno.EAGAIN
    assert found[3] == -errno.EPIPE
    assert found[4] == -errno.EBADF
    assert found[5] == 0
    assert found[6] == -errno.EBADF
    assert slow.recv(10) == bytes(10)


async def test_the_bell(ring: Ring, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    ring.send(1, [(near.fileno(), b"x") for near, _ in pairs], 6)
    ring.call()
    assert ring.submit() == 0
    with trio.fail_after(PATIENCE):
        await trio.lowlevel.wait_readable(ring.bell)
    assert os.eventfd_read(ring.bell) == 1
    found = results(ring, 7)
    assert found.pop(BELL) == 8
    assert found == dict.fromkeys(range(1, 7), 1)


def test_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RingUnavailable, match="Invalid argument"):
        Ring(-1)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(RingUnavailable, match="on this platform"):
        Ring()


def test_nothing_stays_open(ring: Ring) -> None:
    def files() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))

    before = files()
    for _ in range(3):
        with Ring():
            assert files() != before
    with pytest.raises(RingUnavailable):
        Ring(-1)
    assert files() == before


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_server_writes_by_it_where_it_may(tmp_path: Path, ring: Ring, wanted: bool) -> None:
    async with run(tmp_path, server__io_uring=wanted) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(opened(server.place.ws)) for _ in range(CLIENTS)]
        streams = [await client.subscribe(STREAM) for client in clients]
        for turn in range(20):
            await clients[0].submit(f"turn {turn}")
            for client, stream in zip(clients, streams, strict=True):
                payload = await client.next(stream)
                assert payload["data"]["newIncidents"]["title"] == f"turn {turn}"
        async with httpx.AsyncClient(base_url=server.place.http, timeout=PATIENCE) as http:
            tree = (await http.get("/debug/actors", params={"limit": 1000})).json()
        (volley,) = [node for node in tree["root"]["children"] if node["kind"] == "volley"]
        assert volley["stats"]["io_uring"] is wanted
        assert (volley["stats"]["writes"] > 0) is wanted
        assert await server.stop() == 0
        assert server.complaints() == []
