"""An actor crashes while many stream: its restart shows in the tree, and nowhere else."""

import logging
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.actors import registry
from incident_manager.actors.group import Group
from incident_manager.actors.hub import Hub
from incident_manager.actors.journal.keeper import Keeper
from incident_manager.actors.journal.sqlite import SqliteJournal
from incident_manager.actors.state import WorkingSet
from incident_manager.http.rank import Rank
from incident_manager.supervision import NodeState
from system.client import PATIENCE, opened
from system.evidence import check_offsets, check_work, events
from system.harness import LocalServer, local
from system.traffic import Follower, RestSender, SocketSender, Up, Work

SUBSCRIBERS = 200
ALERTS = 40
END = "the end"
ACTORS = ("journal", "registry", "hub", "connections")

QUERIES = (
    "subscription { alerts { title } }",
    "subscription { incidentUpdates { incident { title } } }",
    "subscription { incidentUpdates(severities: [P0, P1, P2, P3, P4]) { incident { title } } }",
)


class Fault:
    """A step of the real code that raises once, after it was armed, at its ``call``-th call."""

    def __init__(
        self, patch: pytest.MonkeyPatch, owner: type, step: str, call: int, *, after: bool
    ) -> None:
        self.happened = trio.Event()
        self._left: int | None = None
        self._call = call
        patch.setattr(owner, step, self._around(getattr(owner, step), after=after))

    def arm(self) -> None:
        self._left = self._call

    def _raise(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left == 0:
            self._left = None
            self.happened.set()
            raise RuntimeError("injected")

    def _around(self, step: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
        if after and not iscoroutinefunction(step):

            def then(*args: Any, **kwargs: Any) -> Any:
                result = step(*args, **kwargs)
                self._raise()
                return result

            return then
        if after:

            async def late(*args: Any, **kwargs: Any) -> Any:
                result = await step(*args, **kwargs)
                self._raise()
                return result

            return late

        def early(*args: Any, **kwargs: Any) -> Any:
            self._raise()
            return step(*args, **kwargs)

        return early


@pytest.mark.parametrize(
    ("actor", "owner", "step", "call", "after"),
    [
        pytest.param(
            "registry",
            registry,
            "settle",
            1,
            False,
            id="registry-while-it-decides",
            marks=pytest.mark.slow,
        ),
        pytest.param("registry", SqliteJournal, "append", 1, True, id="registry-at-the-commit"),
        pytest.param(
            "registry",
            WorkingSet,
            "adopt",
            1,
            False,
            id="registry-after-the-commit",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "hub", Hub, "_publish", 1, False, id="hub-before-an-event", marks=pytest.mark.slow
        ),
        pytest.param("hub", Rank, "offer_all", 10, False, id="hub-inside-an-event"),
        pytest.param("hub", Group, "offer", 10, True, id="hub-when-many-have-it"),
        pytest.param("journal", Keeper, "_keep_house", 1, False, id="journal"),
    ],
)
async def test_a_crash_while_many_stream(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    actor: str,
    owner: type,
    step: str,
    call: int,
    *,
    after: bool,
) -> None:
    fault = Fault(monkeypatch, owner, step, call, after=after)
    work, up = Work(10**9), Up()
    up.now()
    async with local(tmp_path) as server:
        logging.getLogger().addHandler(caplog.handler)
        cursor = await head(server)
        followers = [
            Follower(up, server.ws, QUERIES[number % len(QUERIES)], cursor)
            for number in range(SUBSCRIBERS)
        ]
        rest, socket = RestSender(work, up, server.http), SocketSender(work, up, server.ws)
        async with trio.open_nursery() as following:
            for follower in followers:
                following.start_soon(follower.run, END)
            await all_live(server)
            async with trio.open_nursery() as sending:
                sending.start_soon(rest.run)
                sending.start_soon(socket.run)
                await work.reached(ALERTS // 2)
                fault.arm()
                await restarted(server, actor)
                await work.reached(len(work.acknowledged) + ALERTS // 2)
                work.stop()
            async with opened(server.ws) as client:
                await client.submit(END)
        assert fault.happened.is_set()
        check_tree(server, actor)

    assert [follower.losses for follower in followers] == [0] * SUBSCRIBERS
    assert socket.losses == 0
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in failures] == [f"actor root.{actor} failed"]

    bodies = events(server.place.journal)
    check_offsets(bodies)
    check_work(bodies, work)
    expected = [(offset, body["alert"]["title"]) for offset, body in bodies.items()]
    for follower in followers:
        got = [
            (offset, (root.get("incident") or root)["title"]) for offset, root in follower.events
        ]
        assert got == expected


async def head(server: LocalServer) -> str:
    async with opened(server.ws) as client:
        cursor: str = (await client.data("{ cursor }"))["cursor"]
        return cursor


async def all_live(server: LocalServer) -> None:
    """Wait until every subscriber has its seat in the hub."""
    hub = server.gateway.running().hub
    async with opened(server.ws) as client:
        while hub.seats < SUBSCRIBERS:
            await client.ping()


async def restarted(server: LocalServer, actor: str) -> None:
    """Wait until the tree shows the restart."""
    tree = server.gateway.running().tree
    async with tree.watch() as changes:
        node = tree.find(f"root.{actor}")
        assert node is not None
        with trio.fail_after(PATIENCE):
            while not (node.restarts and node.state is NodeState.RUNNING):
                await anext(changes)


def check_tree(server: LocalServer, actor: str) -> None:
    snapshot = server.gateway.running().tree.snapshot()
    for name in ACTORS:
        node = snapshot.find(f"root.{name}")
        assert node is not None
        assert node.state == "running"
        assert node.restarts == (1 if name == actor else 0), name
        if name == actor:
            assert node.last_failure is not None
            assert "injected" in str(node.last_failure)
        else:
            assert node.last_failure is None
