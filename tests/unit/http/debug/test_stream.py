"""The changes of the tree as server-sent events: a snapshot, then changes, then why it ends."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
import trio
import trio.testing
from attrs import frozen

from incident_manager.http.auth import Authenticator
from incident_manager.http.debug.stream import changes, event
from incident_manager.http.gateway import Gateway
from incident_manager.http.settings import Settings
from incident_manager.supervision import Tree


def parse(text: bytes) -> list[tuple[str, object]]:
    """The events in a piece of the stream."""
    found: list[tuple[str, object]] = []
    for block in text.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


@frozen
class Watched:
    gateway: Gateway
    tree: Tree
    stream: AsyncGenerator[bytes, None]

    async def next(self) -> list[tuple[str, object]]:
        return parse(await anext(self.stream))

    async def ids(self) -> list[tuple[str, str]]:
        return [(name, str(value["id"])) for name, value in await self.next()]  # type: ignore[index]

    @property
    def followed(self) -> bool:
        """Whether the tree still has a watch."""
        return bool(self.tree._watches)


@asynccontextmanager
async def watching(
    actor_id: str | None = None, until: float = float("inf")
) -> AsyncIterator[Watched]:
    """A stream that has told its snapshot."""
    settings = Settings()
    gateway = Gateway(settings, Authenticator.from_settings(settings))
    tree = Tree()
    tree.attach(tree.root, "a", "worker")
    body = changes(gateway, tree, actor_id, lambda: {"taken": 1}, until)
    async with aclosing(body) as stream:
        assert parse(await anext(stream)) == [("snapshot", {"taken": 1})]
        yield Watched(gateway, tree, stream)


async def test_what_changes_is_told(autojump_clock: trio.testing.MockClock) -> None:
    async with watching() as watched:
        tree = watched.tree
        node = tree.attach(tree.root, "b", "worker")
        assert await watched.ids() == [("added", "root.b")]
        tree.changed(node)
        [(name, value)] = await watched.next()
        assert name == "changed"
        assert value["actor"]["kind"] == "worker"  # type: ignore[index]
        tree.detach(node)
        assert await watched.next() == [("removed", {"id": "root.b", "actor": None})]


async def test_what_changes_often_is_told_in_lots(autojump_clock: trio.testing.MockClock) -> None:
    async with watching() as watched:
        tree = watched.tree
        for _ in range(100):
            tree.changed(tree.root.children["a"])
            tree.changed(tree.root)
        assert await watched.ids() == [("changed", "root.a"), ("changed", "root")]


async def test_where_too_much_has_changed_there_is_a_new_snapshot(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watching() as watched:
        for number in range(2_000):
            watched.tree.attach(watched.tree.root, f"n{number}", "worker")
        assert await watched.next() == [("snapshot", {"taken": 1})]


async def test_of_one_actor_only_what_is_under_it(autojump_clock: trio.testing.MockClock) -> None:
    async with watching("root.a") as watched:
        tree = watched.tree
        tree.attach(tree.root, "ab", "worker")
        tree.changed(tree.root)
        tree.attach(tree.root.children["a"], "b", "worker")
        tree.changed(tree.root.children["a"])
        assert await watched.ids() == [("added", "root.a.b"), ("changed", "root.a")]


async def test_a_quiet_stream_says_that_it_is_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with watching() as watched:
        began = trio.current_time()
        assert (await anext(watched.stream)).startswith(b":")
        assert trio.current_time() - began == 15


@pytest.mark.parametrize("reason", ["draining", "failed", "expired"])
async def test_it_ends_and_says_why(
    reason: str, autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    until = trio.current_time() + 5 if reason == "expired" else float("inf")
    async with watching(until=until) as watched:
        told: list[tuple[str, object]] = []

        async def read() -> None:
            told.extend(await watched.next())

        async with trio.open_nursery() as reading:
            reading.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            if reason == "draining":
                watched.gateway.drain()
            elif reason == "failed":
                watched.gateway.fail(RuntimeError("no"))
        assert told == [("end", {"reason": reason})]
        with pytest.raises(StopAsyncIteration):
            await anext(watched.stream)
        assert not watched.followed


async def test_a_reader_that_leaves_leaves_nothing_behind() -> None:
    async with watching() as watched:
        with trio.CancelScope() as scope:
            scope.cancel()
            await watched.next()
        assert scope.cancelled_caught
    assert not watched.followed


def test_an_event_is_one_line_of_json() -> None:
    assert event("x", {"text": "a\nb"}) == b'event: x\ndata: {"text":"a\\nb"}\n\n'
