"""The wire: in order, whole, and with an end."""

from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.wire import HIGH_WATER, Wire
from unit.http.peer import Peer


def wire(peer: Peer, nursery: trio.Nursery, *, secure: bool = False) -> Wire:
    tls = cast("trio.SSLStream[GuardedSocket]", peer) if secure else None
    return Wire(cast(GuardedSocket, peer), nursery.start_soon, tls)


async def test_what_the_kernel_takes_leaves_at_once(nursery: trio.Nursery) -> None:
    peer = Peer()
    peer.open(100)
    line = wire(peer, nursery)
    line.write(b"hello")
    assert (peer.got, line.size, line.taken) == (b"hello", 0, 5)
    await trio.testing.wait_all_tasks_blocked()
    assert peer.passes == 0  # by no task


async def test_what_it_does_not_take_follows_in_order(nursery: trio.Nursery) -> None:
    peer = Peer()
    peer.open(3)
    line = wire(peer, nursery)
    line.write(b"abcdef")
    line.write(b"ghi")
    assert (bytes(peer.got), line.size) == (b"abc", 6)
    peer.open(4)
    await trio.testing.wait_all_tasks_blocked()
    assert (bytes(peer.got), line.size) == (b"abcdefg", 2)
    peer.open(100)
    await line.emptied()
    line.write(b"j")
    assert peer.got == b"abcdefghij"
    assert line.taken == 10


@pytest.mark.parametrize("secure", [False, True])
async def test_room_and_emptied(nursery: trio.Nursery, secure: bool) -> None:
    peer, told = Peer(), []
    line = wire(peer, nursery, secure=secure)
    line.watch(lambda: told.append(line.size))
    await line.room()
    line.write(bytes(HIGH_WATER + 1))
    passed = trio.Event()

    async def wait() -> None:
        await line.room()
        passed.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not passed.is_set()
    peer.open(HIGH_WATER + 1)
    await passed.wait()
    await line.emptied()
    assert len(peer.got) == HIGH_WATER + 1
    assert told[-1] == 0


async def test_over_tls_what_came_together_is_one_record(nursery: trio.Nursery) -> None:
    peer = Peer()
    line = wire(peer, nursery, secure=True)
    for _ in range(10):
        line.write(b"frame")
    assert line.size == 50
    peer.open(1000)
    await line.emptied()
    assert bytes(peer.got) == b"frame" * 10
    assert peer.passes == 2  # one wait, one record


@pytest.mark.parametrize("secure", [False, True])
async def test_a_peer_that_is_gone_holds_nobody(nursery: trio.Nursery, secure: bool) -> None:
    peer, told = Peer(), []
    line = wire(peer, nursery, secure=secure)
    line.watch(lambda: told.append(line.closed))
    line.write(bytes(2 * HIGH_WATER))
    nursery.start_soon(line.room)
    await trio.testing.wait_all_tasks_blocked()
    peer.gone = True
    peer.more.set()
    await line.emptied()
    assert (line.closed, line.size, told[-1]) == (True, 0, True)
    line.write(b"late")
    await line.room()
    assert line.size == 0


async def test_a_peer_that_is_gone_at_the_first_try(nursery: trio.Nursery) -> None:
    peer = Peer()
    peer.gone = True
    line = wire(peer, nursery)
    line.write(b"x")
    assert line.closed


async def test_when_its_task_is_cancelled_nobody_waits() -> None:
    peer = Peer()
    async with trio.open_nursery() as outer:
        async with trio.open_nursery() as nursery:
            line = wire(peer, nursery)
            line.write(bytes(2 * HIGH_WATER))
            outer.start_soon(line.room)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert line.closed


@given(
    st.lists(st.one_of(st.binary(min_size=1, max_size=20), st.integers(1, 30)), max_size=60),
    st.booleans(),
)
def test_everything_arrives_once_and_in_order(steps: list[bytes | int], secure: bool) -> None:
    async def run() -> None:
        peer = Peer()
        async with trio.open_nursery() as nursery:
            line = wire(peer, nursery, secure=secure)
            expected = b""
            for step in steps:
                if isinstance(step, bytes):
                    line.write(step)
                    expected += step
                else:
                    peer.open(step)
                    await trio.testing.wait_all_tasks_blocked()
                assert line.size + line.taken == len(expected)
            while line.size:
                peer.open(1000)
                await trio.testing.wait_all_tasks_blocked()
            assert bytes(peer.got) == expected

    trio.run(run)
