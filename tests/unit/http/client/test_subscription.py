import gc
from collections.abc import Generator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.http.client.errors import ClientError
from incident_manager.http.client.message import Message
from incident_manager.http.client.subscription import Inbox, Subscription


class Desk:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.waiters = 0
        self.took = 0
        self.left: list[Inbox] = []

    @contextmanager
    def waiting(self) -> Generator[None]:
        self.waiters += 1
        yield
        self.waiters -= 1

    def taken(self, inbox: Inbox) -> None:
        self.took += 1

    def leave(self, inbox: Inbox) -> None:
        self.left.append(inbox)
        inbox.end(None)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def message(number: int) -> Message:
    return Message({"n": number})


async def test_messages_come_in_order_and_then_the_end(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    rooms = []
    for number in (1, 2):
        rooms.append(not inbox.full)
        inbox.put(message(number))
    assert (rooms, inbox.full) == ([True, True], True)
    inbox.end(None)
    inbox.end(ClientError("too late"))
    stream = Subscription(desk, inbox)
    assert [found async for found in stream] == [message(1), message(2)]
    assert [found async for found in stream] == []
    assert (desk.took, desk.waiters) == (2, 0)


async def test_an_error_comes_after_what_was_there(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    inbox.put(message(1))
    error = ClientError("x")
    inbox.end(error)
    stream = Subscription(desk, inbox)
    assert await anext(stream) == message(1)
    with pytest.raises(ClientError) as caught:
        await anext(stream)
    assert caught.value is error


async def test_who_waits_is_counted_and_woken(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    stream = Subscription(desk, inbox)
    seen: list[Message] = []

    async def consume() -> None:
        seen.append(await anext(stream))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        nursery.start_soon(consume)
        await wait_all_tasks_blocked()
        assert desk.waiters == 2
        inbox.put(message(1))
        await wait_all_tasks_blocked()
        assert desk.waiters == 1
        inbox.put(message(2))
    assert seen == [message(1), message(2)]


async def test_a_cancelled_wait_takes_nothing(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    inbox.put(message(1))
    stream = Subscription(desk, inbox)
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    assert await anext(stream) == message(1)


async def test_a_block_is_entered_when_it_has_begun_and_left_with_it(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    entered = trio.Event()

    async def enter() -> None:
        async with Subscription(desk, inbox):
            entered.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(enter)
        await wait_all_tasks_blocked()
        assert not entered.is_set()
        inbox.begun.set()
    assert entered.is_set()
    assert inbox in desk.left


async def test_a_block_is_not_entered_where_it_failed(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    inbox.end(ClientError("x"))
    with pytest.raises(ClientError):
        async with Subscription(desk, inbox):
            pytest.fail("it was entered")


async def test_one_that_is_dropped_is_left(desk: Desk) -> None:
    inbox = Inbox(desk, 2)
    stream = Subscription(desk, inbox)
    del stream
    gc.collect()
    await wait_all_tasks_blocked()
    assert desk.left == [inbox]


def test_dropped_after_the_end_of_trio_it_says_nothing(desk: Desk) -> None:
    async def make() -> Subscription:
        return Subscription(desk, Inbox(desk, 1))

    stream = trio.run(make)
    del stream
    gc.collect()
    assert desk.left == []
