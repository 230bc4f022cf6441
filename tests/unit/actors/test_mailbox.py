import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors.mailbox import Mailbox, MailboxStatistics


async def test_the_oldest_comes_first() -> None:
    box = Mailbox[int](3)
    for number in range(3):
        await box.put(number)
    assert [await box.get(), box.get_nowait(), await box.get()] == [0, 1, 2]
    with pytest.raises(trio.WouldBlock):
        box.get_nowait()


async def test_get_waits_for_a_message() -> None:
    box = Mailbox[int](1)
    found: list[int] = []

    async def take() -> None:
        found.append(await box.get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await wait_all_tasks_blocked()
        assert not found
        await box.put(7)
    assert found == [7]


async def test_put_waits_while_it_is_full_and_nothing_is_lost() -> None:
    box = Mailbox[int](2)
    delivered: list[int] = []

    async def deliver(number: int) -> None:
        await box.put(number)
        delivered.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(deliver, number)
            await wait_all_tasks_blocked()
        assert delivered == [0, 1]
        assert box.get_nowait() == 0
        await wait_all_tasks_blocked()
        assert delivered == [0, 1, 2]
        assert [await box.get() for _ in range(4)] == [1, 2, 3, 4]
    assert sorted(delivered) == [0, 1, 2, 3, 4]


async def test_a_put_that_is_cancelled_leaves_nothing() -> None:
    box = Mailbox[int](1)
    await box.put(1)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(box.put, 2)
            await wait_all_tasks_blocked()
            assert box.statistics().depth == 2
            scope.cancel()
    assert scope.cancelled_caught
    assert box.statistics().depth == 1
    assert box.get_nowait() == 1
    with pytest.raises(trio.WouldBlock):
        box.get_nowait()


async def test_it_says_how_full_it_is_and_how_long_its_oldest_has_waited(
    mock_clock: MockClock,
) -> None:
    box = Mailbox[str](4)
    assert box.statistics() == MailboxStatistics(0, 4, 0.0, 0)
    await box.put("a")
    mock_clock.jump(2)
    await box.put("b")
    mock_clock.jump(3)
    assert box.statistics() == MailboxStatistics(2, 4, 5.0, 0)
    await box.get()
    assert box.statistics() == MailboxStatistics(1, 4, 3.0, 1)
    box.get_nowait()
    assert box.statistics() == MailboxStatistics(0, 4, 0.0, 2)


async def test_what_has_no_room_now_leaves_nothing() -> None:
    box = Mailbox[int](1)
    box.put_nowait(1)
    with pytest.raises(trio.WouldBlock):
        box.put_nowait(2)
    assert box.statistics().depth == 1
    assert box.get_nowait() == 1
    box.put_nowait(3)
    assert await box.get() == 3


async def test_nobody_comes_before_those_who_wait() -> None:
    box = Mailbox[int](1)
    box.put_nowait(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(box.put, 2)
        await wait_all_tasks_blocked()
        assert box.get_nowait() == 1
        with pytest.raises(trio.WouldBlock):
            box.put_nowait(3)
    assert box.get_nowait() == 2
