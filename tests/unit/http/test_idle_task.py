"""When a connection ends because nobody uses it. The clock jumps where everybody waits."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from incident_manager.http.idle_task import IdleTask


class Group:
    """Hypercorn's task group."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def spawn(self, func: Callable[..., Awaitable[object]], /, *args: object) -> None:
        self._nursery.start_soon(func, *args)


class Watched:
    """A connection whose task waits five seconds."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.group = Group(nursery)
        self.task = IdleTask()
        self.terminated = trio.Event()
        self.ends: list[tuple[float, bool]] = []
        self.ended = trio.Event()

    async def action(self) -> None:
        over = await self.task.expired(5.0, self.terminated)
        self.ends.append((trio.current_time(), over))
        self.ended.set()

    async def restart(self) -> None:
        await self.task.restart(self.group, self.action)


async def test_it_expires(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
    assert watched.ends == [(5.0, True)]
    assert not watched.task.resume()


@pytest.mark.parametrize(("paused", "resumed"), [(1.0, 2.0), (4.0, 6.0), (1.0, 17.0), (0.0, 5.0)])
async def test_it_expires_so_long_after_the_last_use(
    autojump_clock: trio.testing.MockClock, paused: float, resumed: float
) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await trio.sleep_until(paused)
        watched.task.pause()
        await trio.sleep_until(resumed)
        assert watched.task.resume()
    assert watched.ends == [(resumed + 5.0, True)]


async def test_what_is_used_does_not_expire(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await trio.testing.wait_all_tasks_blocked()
        watched.task.pause()
        await trio.sleep_until(100.0)
        assert watched.ends == []
        await watched.task.stop()
    assert watched.ends == []
    assert not watched.task.resume()


@pytest.mark.parametrize("used", [False, True])
async def test_at_the_servers_end_only_what_is_idle_ends(used: bool) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await trio.testing.wait_all_tasks_blocked()
        if used:
            watched.task.pause()
        watched.terminated.set()
        await watched.ended.wait()
        assert [over for _, over in watched.ends] == [not used]
        await trio.testing.wait_all_tasks_blocked()
        assert not watched.task.resume()
        await watched.restart()
    assert watched.ends[-1][1] is True


async def test_again_is_another_task(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await trio.sleep_until(3.0)
        await watched.restart()
    assert watched.ends == [(8.0, True)]


async def test_one_that_was_stopped_before_it_began_does_nothing() -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await watched.task.stop()
    assert watched.ends == []


async def test_after_the_end_nothing_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    async with trio.open_nursery() as nursery:
        watched = Watched(nursery)
        await watched.restart()
        await watched.task.end()
        await watched.restart()
    assert watched.ends == []
    assert trio.current_time() == 0.0
