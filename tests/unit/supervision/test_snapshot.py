"""The frozen picture."""

from __future__ import annotations

import json

import attrs
import pytest
import trio

from incident_manager.supervision import NodeState, Tree
from unit.supervision.scripts import Crash, pass_time


async def test_it_shows_what_is_known_and_does_not_change_any_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    tree = Tree(wall=lambda: 1000.0)
    node = tree.attach(tree.root, "a", "worker")
    node.begin(NodeState.RUNNING)
    node.stats = lambda: {"depth": 3}
    node.fail(Crash("x"))
    await pass_time(2.0)
    picture = tree.snapshot()
    node.mark(NodeState.STOPPING)
    shown = picture.find("root.a")
    assert shown is not None
    assert (picture.taken_at, picture.taken_wall) == (2.0, 1000.0)
    assert (shown.state, shown.age, shown.started_at, shown.parent) == ("running", 2.0, 0.0, "root")
    assert shown.stats == {"depth": 3}
    assert shown.last_failure == node.last_failure
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        shown.state = "failed"  # type: ignore[misc]
    with pytest.raises(TypeError):
        shown.stats["depth"] = 4  # type: ignore[index]
    assert picture.find("root.b") is None


async def test_the_dead_have_no_age() -> None:
    tree = Tree()
    node = tree.attach(tree.root, "a", "worker")
    assert tree.snapshot().root.children[0].age is None
    node.begin(NodeState.RUNNING)
    node.mark(NodeState.FAILED)
    assert tree.snapshot().root.children[0].age is None


async def test_children_are_counted_by_kind_and_state_and_listed_in_pages() -> None:
    tree = Tree()
    for number in range(5):
        node = tree.attach(tree.root, f"c{number}", "connection")
        node.begin(NodeState.RUNNING if number < 3 else NodeState.STOPPING)
        tree.attach(node, "s", "subscription")
    tree.attach(tree.root, "journal", "worker").begin(NodeState.STARTING)
    whole = tree.snapshot().root
    assert {kind: dict(states) for kind, states in whole.counts.items()} == {
        "connection": {"running": 3, "stopping": 2},
        "worker": {"starting": 1},
    }
    assert (len(whole.children), whole.omitted) == (6, 0)
    page = tree.snapshot(node_id="root", limit=2, offset=3).root
    assert [child.name for child in page.children] == ["c3", "c4"]
    assert (page.child_count, page.omitted, page.counts) == (6, 4, whole.counts)
    assert [len(child.children) for child in page.children] == [1, 1]
    assert tree.snapshot(node_id="root.c1").root.id == "root.c1"
    with pytest.raises(KeyError, match=r"root\.none"):
        tree.snapshot(node_id="root.none")


async def test_figures_that_cannot_be_had_are_shown_as_an_error() -> None:
    def broken() -> dict[str, object]:
        raise Crash("no figures")

    tree = Tree()
    tree.attach(tree.root, "a", "worker").stats = broken
    assert tree.snapshot().root.children[0].stats == {"error": "Crash: no figures"}


async def test_only_listed_nodes_are_asked_for_figures() -> None:
    asked: list[str] = []
    tree = Tree()
    for name in "abc":
        node = tree.attach(tree.root, name, "worker")
        node.stats = lambda name=name: asked.append(name) or {}
    tree.snapshot(limit=1)
    assert asked == ["a"]


async def test_as_dict_is_json() -> None:
    tree = Tree(wall=lambda: 1000.0)
    node = tree.attach(tree.root, "a", "worker")
    node.begin(NodeState.RUNNING)
    node.fail(Crash("x"))
    shown = json.loads(json.dumps(tree.snapshot().root.as_dict()))
    assert shown["counts"] == {"worker": {"running": 1}}
    assert shown["last_failure"] is None
    child = shown["children"][0]
    assert (child["id"], child["started_at"], child["stats"]) == ("root.a", 1000.0, {})
    assert child["last_failure"]["message"] == "x"
