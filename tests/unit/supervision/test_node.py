"""One node: its id, its marks, its failures."""

from __future__ import annotations

from incident_manager.supervision import NodeState, Tree
from unit.supervision.scripts import Crash


def test_ids_are_paths() -> None:
    tree = Tree()
    outer = tree.attach(tree.root, "a", "worker")
    inner = tree.attach(outer, "b", "worker")
    assert (tree.root.id, outer.id, inner.id) == ("root", "root.a", "root.a.b")
    assert repr(inner) == "<Node root.a.b stopped>"


async def test_a_start_notes_both_clocks_and_forgets_an_overrun(autojump_clock: object) -> None:
    tree = Tree(wall=lambda: 1000.0)
    node = tree.attach(tree.root, "a", "worker")
    node.mark_overrun()
    node.begin(NodeState.STARTING)
    assert (node.started_at, node.started_wall, node.overrun) == (0.0, 1000.0, False)


def test_a_failure_is_kept_as_bounded_text() -> None:
    tree = Tree(wall=lambda: 1000.0)
    node = tree.attach(tree.root, "a", "worker")
    node.fail(Crash("x" * 100_000 + "the end"))
    failure = node.last_failure
    assert failure is not None
    assert (failure.child, failure.type, failure.when) == ("root.a", "Crash", 1000.0)
    assert len(failure.traceback) == 16_384
    assert failure.traceback.rstrip().endswith("the end")


def test_a_child_s_failure_is_recorded_on_the_supervisor_with_the_child_s_id() -> None:
    tree = Tree()
    node = tree.attach(tree.root, "a", "worker")
    tree.root.fail(Crash("x"), child=node)
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.child == "root.a"
    assert node.last_failure is None
