"""The seam to Hypercorn: what it relies on is there, and without it nothing is put in."""

import logging
import sys
from typing import Any

import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
import hypercorn.trio.run
import pytest
import trio
import trio.testing
import wsproto.frame_protocol
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER, BufferCompleteError
from hypercorn.trio.worker_context import EventWrapper

from incident_manager.http.hypercorn_h2 import BoundedBuffer, GuardedH2
from incident_manager.http.hypercorn_h11 import GuardedH11
from incident_manager.http.hypercorn_tcp import GuardedServer
from incident_manager.http.hypercorn_ws import BoundedWebSocket
from incident_manager.http.transport import Guard, guard_of, install, missing


def test_it_is_put_in() -> None:
    assert install()
    assert install()
    assert vars(hypercorn.trio.run)["TCPServer"] is GuardedServer
    assert vars(hypercorn.protocol)["H2Protocol"] is GuardedH2
    assert vars(hypercorn.protocol)["H11Protocol"] is GuardedH11
    assert hypercorn.protocol.h2.StreamBuffer is BoundedBuffer
    assert vars(hypercorn.protocol.h2)["WSStream"] is BoundedWebSocket
    assert vars(hypercorn.protocol.h11)["WSStream"] is BoundedWebSocket


def test_another_hypercorn_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    names = ["hypercorn.trio.run:TCPServer", "hypercorn.trio.run:NoMore", "hypercorn.gone:Any"]
    assert missing(names) == names[1:]
    with caplog.at_level(logging.WARNING):
        assert not install(names)
    [record] = caplog.records
    assert "hypercorn.trio.run:NoMore" in record.getMessage()


def test_it_is_left_as_it_is_too_where_a_part_cannot_be_loaded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("hypercorn.protocol.ws_stream.FrameTooLargeError")
    monkeypatch.delitem(sys.modules, "incident_manager.http.hypercorn_ws")
    with caplog.at_level(logging.WARNING):
        assert not install()
    [record] = caplog.records
    assert "FrameTooLargeError" in record.getMessage()


def test_so_it_is_with_a_wsproto_that_is_built_otherwise(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Renamed(wsproto.frame_protocol.FrameProtocol):
        def __init__(self, *args: Any, **given: Any) -> None:
            super().__init__(*args, **given)
            del self._outbound_opcode

    monkeypatch.setattr("wsproto.connection.FrameProtocol", Renamed)
    for name in ("websocket_frames", "hypercorn_handshake", "hypercorn_ws"):
        monkeypatch.delitem(sys.modules, f"incident_manager.http.{name}")
    with caplog.at_level(logging.WARNING):
        assert not install()
    [record] = caplog.records
    assert "_outbound_opcode" in record.getMessage()


def test_an_application_without_a_guard_gets_one() -> None:
    class Wrapper:
        app = None

    class Guarded:
        guard = Guard(1.0)

    wrapper = Wrapper()
    assert guard_of(wrapper) is not guard_of(wrapper)
    vars(wrapper)["app"] = Guarded
    assert guard_of(wrapper) is Guarded.guard


async def test_a_full_buffer_holds_up_who_pushes(nursery: trio.Nursery) -> None:
    buffer, passed = BoundedBuffer(EventWrapper), trio.Event()
    await buffer.push(bytes(BUFFER_HIGH_WATER - 1))
    assert await buffer.pop(0) == b""  # a closed window makes no room

    async def push() -> None:
        await buffer.push(b"x")
        passed.set()

    nursery.start_soon(push)
    await trio.testing.wait_all_tasks_blocked()
    assert await buffer.pop(0) == b""
    await trio.testing.wait_all_tasks_blocked()
    assert not passed.is_set()
    left = int(BUFFER_LOW_WATER)
    assert len(await buffer.pop(BUFFER_HIGH_WATER - left)) == BUFFER_HIGH_WATER - left
    await trio.testing.wait_all_tasks_blocked()
    assert not passed.is_set()
    assert await buffer.pop(1) == b"\0"
    await passed.wait()
    assert len(await buffer.pop(BUFFER_HIGH_WATER)) == left - 1
    await buffer.drain()


async def test_a_closed_buffer_holds_up_nobody() -> None:
    buffer = BoundedBuffer(EventWrapper)
    async with trio.open_nursery() as pushing:
        pushing.start_soon(buffer.push, bytes(BUFFER_HIGH_WATER))
        pushing.start_soon(buffer.push, bytes(BUFFER_HIGH_WATER))
        await trio.testing.wait_all_tasks_blocked()
        await buffer.close()
    assert buffer.complete
    with pytest.raises(BufferCompleteError):
        await buffer.push(b"x")
