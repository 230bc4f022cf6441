"""Bytes wait for a window, and who has more of them waits as well."""

import pytest
import trio
import trio.testing
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BufferCompleteError
from hypercorn.trio.worker_context import EventWrapper

from incident_manager.http.h2_buffer import BoundedBuffer


def buffer() -> BoundedBuffer:
    return BoundedBuffer(EventWrapper)


async def test_who_pushes_waits_for_room_and_not_for_a_window(nursery: trio.Nursery) -> None:
    some, done = buffer(), []

    async def push() -> None:
        await some.push(bytes(BUFFER_HIGH_WATER))
        done.append("first")
        await some.push(b"x")
        done.append("second")

    nursery.start_soon(push)
    await trio.testing.wait_all_tasks_blocked()
    assert await some.pop(0) == b""  # the window is closed
    await trio.testing.wait_all_tasks_blocked()
    assert (done, len(some)) == ([], BUFFER_HIGH_WATER)
    assert len(await some.pop(BUFFER_HIGH_WATER)) == BUFFER_HIGH_WATER
    await trio.testing.wait_all_tasks_blocked()
    assert done == ["first", "second"]
    assert await some.pop(10) == b"x"


async def test_who_puts_does_not_wait() -> None:
    some = buffer()
    some.put(bytes(3 * BUFFER_HIGH_WATER))
    assert len(some) == 3 * BUFFER_HIGH_WATER


async def test_an_empty_one_is_one() -> None:
    assert buffer()
    assert len(buffer()) == 0


async def test_drained_is_when_all_is_taken(nursery: trio.Nursery) -> None:
    some, done = buffer(), []

    async def drain() -> None:
        await some.drain()
        done.append(len(some))

    some.put(b"abc")
    nursery.start_soon(drain)
    await trio.testing.wait_all_tasks_blocked()
    some.take(2)
    await trio.testing.wait_all_tasks_blocked()
    assert done == []
    some.take(2)
    await trio.testing.wait_all_tasks_blocked()
    assert done == [0]
    some.put(b"more")
    with trio.move_on_after(0) as waits:
        await some.drain()
    assert waits.cancelled_caught


async def test_dropped_it_takes_nothing_and_nobody_waits(nursery: trio.Nursery) -> None:
    some, done = buffer(), []

    async def wait(what: str) -> None:
        await (some.drain() if what == "drain" else some.push(bytes(BUFFER_HIGH_WATER)))
        done.append(what)

    some.put(b"x")
    nursery.start_soon(wait, "drain")
    nursery.start_soon(wait, "push")
    await trio.testing.wait_all_tasks_blocked()
    assert done == []
    await some.close()
    await trio.testing.wait_all_tasks_blocked()
    assert sorted(done) == ["drain", "push"]
    assert some.ended
    assert len(some) == 0
    with pytest.raises(BufferCompleteError):
        some.put(b"y")


async def test_what_is_complete_takes_no_more_and_gives_what_it_has() -> None:
    some = buffer()
    some.put(b"abc")
    some.set_complete()
    with pytest.raises(BufferCompleteError):
        await some.push(b"d")
    assert some.ended
    assert not some.complete  # for Hypercorn: not before it is empty
    assert some.take(9) == b"abc"
    assert some.complete


async def test_it_tells_when_something_has_left() -> None:
    some, told = buffer(), []
    some.on_room = lambda: told.append(len(some))
    some.put(b"abc")
    some.take(0)
    some.take(2)
    some.take(2)
    some.take(2)
    assert told == [1, 0]
    some.put(b"abc")
    some.drop()
    assert told == [1, 0, 0]
