"""Attach, find, detach, report."""

from __future__ import annotations

import pytest

from incident_manager.supervision import DuplicateChild, Node, NodeState, Tree
from unit.supervision.scripts import Crash


def test_find() -> None:
    tree = Tree()
    node = tree.attach(tree.attach(tree.root, "a", "worker"), "b", "worker")
    assert tree.find("root") is tree.root
    assert tree.find("root.a.b") is node
    assert tree.find("root.b") is None
    assert tree.find("root.b.c") is None
    assert tree.find("a.b") is None
    assert tree.find("") is None


def test_a_dead_node_is_taken_over_with_its_history_and_a_live_one_is_not() -> None:
    tree = Tree()
    node = tree.attach(tree.root, "a", "worker")
    node.restarts = 3
    node.stats = dict
    assert tree.attach(tree.root, "a", "other") is node
    assert (node.restarts, node.kind, node.stats) == (3, "other", None)
    node.mark(NodeState.RUNNING)
    with pytest.raises(DuplicateChild, match=r"root\.a"):
        tree.attach(tree.root, "a", "worker")


def test_restarts_are_counted_by_kind_and_stay_when_a_child_goes() -> None:
    tree = Tree()
    for name in "ab":
        node = tree.attach(tree.root, name, "worker")
        node.restarted()
        tree.detach(node)
    tree.attach(tree.root, "c", "other").restarted()
    assert tree.restarts == {"worker": 2, "other": 1}
    assert [node.restarts for node in tree.root.children.values()] == [1]


def test_detach_and_what_is_not_there_any_more() -> None:
    tree = Tree()
    node = tree.attach(tree.root, "a", "worker")
    other = tree.attach(tree.root, "b", "worker")
    tree.detach(node)
    assert list(tree.root.children) == ["b"]
    successor = tree.attach(tree.root, "a", "worker")
    tree.detach(node)  # its successor of the same name stays
    assert tree.find("root.a") is successor
    tree.detach(successor)
    tree.detach(other)
    tree.detach(other)
    tree.detach(tree.root)  # the root cannot go
    assert tree.root.children == {}


async def test_place() -> None:
    tree = Tree()
    assert tree.root.state == "stopped"
    node = tree.place("app", "supervisor", None)
    assert (node.id, tree.root.state) == ("root.app", "running")
    assert tree.place("other", "supervisor", None).id == "root.other"
    assert tree.place("inner", "supervisor", node).id == "root.app.inner"
    with pytest.raises(DuplicateChild):
        tree.place("root", "supervisor", None)
    fresh = Tree()
    assert fresh.place("root", "system", None) is fresh.root
    assert fresh.root.kind == "system"


def test_failures_are_reported_and_a_broken_hook_breaks_nothing() -> None:
    def broken(node: Node, error: BaseException) -> None:
        raise OSError("disk full")

    tree = Tree(on_failure=broken)
    node = tree.attach(tree.root, "a", "worker")
    node.fail(Crash("x"))
    assert node.last_failure is not None
    assert node.last_failure.message == "x"
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.message == "disk full"
