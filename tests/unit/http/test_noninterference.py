"""The strong law of confinement: what others do changes nothing of what a tenant sees.

The same history is played twice, once without the other tenant. All that the first tenant sees
(answers, errors, lists, counts, searches, histories, streams, cursors) must be equal.
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from hypothesis import HealthCheck, Phase, example, given, settings

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.sqlite import open_sqlite
from unit.actors.builders import SECOND
from unit.http.served import AUTHENTICATED, Served, recovering
from unit.http.tenants import STEPS, SUBSCRIPTIONS, Step, World, open_world

ROOMY = settings(
    deadline=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to shrink one takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@cache
def application() -> Served:
    """One application for all worlds: it takes time to make."""
    return recovering(AUTHENTICATED)


async def play(world: World, steps: Sequence[Step], *, without: str, streams: bool) -> list[str]:
    """What the tenant sees of a history; the steps of ``without`` only take their time."""
    had = [world.subscribe(query) for query in SUBSCRIPTIONS] if streams else []
    await world.settle()
    middle = ""
    for number, step in enumerate(steps):
        world.clock[0] += 100 * SECOND
        if step.who != without:
            await world.do(step)
        await world.settle()
        if number == len(steps) // 2:
            reply = await world.ask("GET", "/v1/incidents?page_size=1", {"tenant": "acme"})
            middle = reply.json["cursor"]
            world.seen.note(reply.body.decode())
    resumed = [world.subscribe(query, Cursor.parse(middle)) for query in SUBSCRIPTIONS[:5]]
    stranger = world.subscribe(SUBSCRIPTIONS[0], Cursor(world.system.hub.epoch, 1))
    await world.settle()
    for payloads in (*had, *(resumed if streams else ()), *((stranger,) if streams else ())):
        for payload in payloads():
            world.seen.note(payload.replace(f"{world.system.hub.epoch}:1", "<one's own>"))
    await world.look()
    leaks = [text for text in world.seen.raw if world.system.hub.epoch in text]
    assert all("lost" in text for text in leaks), leaks
    return world.seen.log


def same(steps: Sequence[Step], first: list[str], second: list[str]) -> None:
    assert len(first) == len(second), steps
    for one, other in zip(first, second, strict=True):
        assert one == other, steps


KEYED = Step("corp", "alert", key="k")


@ROOMY
@given(STEPS)
@example([Step("corp", "alert"), Step("acme", "alert"), Step("corp", "alert")])
@example([KEYED, Step("acme", "alert", key="k"), Step("corp", "resolved", key="k")])
@example([Step("acme", "create"), Step("corp", "comment", foreign=True)])
@example([Step("acme", "create"), Step("admin", "create"), Step("admin", "link")])
@example([Step("acme", "alert", key="k"), Step("admin", "take"), Step("acme", "alert", key="k")])
@example(
    [
        Step("corp", "create", idempotency="i"),
        Step("acme", "create", idempotency="i"),
        Step("acme", "link", foreign=True),
    ]
)
def test_another_tenant_changes_nothing_of_what_one_sees(steps: list[Step]) -> None:
    async def main() -> None:
        logs = []
        for without in ("", "corp"):
            opener = partial(open_memory, MemoryStore())
            async with open_world(opener, application()) as world:
                logs.append(await play(world, steps, without=without, streams=True))
        same(steps, *logs)

    trio.run(main)


@settings(ROOMY, max_examples=6)
@given(STEPS)
@example([KEYED, Step("acme", "alert", key="k"), Step("corp", "create"), Step("acme", "create")])
def test_nor_in_an_sqlite_journal(steps: list[Step]) -> None:
    async def main() -> None:
        logs = []
        for without in ("", "corp"):
            with TemporaryDirectory() as folder:
                opener = partial(open_sqlite, Path(folder) / "incidents.db")
                async with open_world(opener, application()) as world:
                    logs.append(await play(world, steps, without=without, streams=False))
        same(steps, *logs)

    trio.run(main)
