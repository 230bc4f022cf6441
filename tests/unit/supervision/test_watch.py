"""Following changes: examples, and the law that a follower ends up with the truth."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import Change, ChangeKind, Node, NodeState, Tree, Watch
from incident_manager.supervision.snapshot import NodeSnapshot
from unit.supervision.scripts import Crash


def told(change: Change) -> tuple[str, str, str | None]:
    return change.kind.value, change.id, None if change.node is None else change.node.state


async def take_all(watch: Watch, tree: Tree) -> list[tuple[str, str, str | None]]:
    """Return all that waits: up to a change of the root, made here to mark the end."""
    tree.root.mark(NodeState.STOPPED)
    changes: list[tuple[str, str, str | None]] = []
    async for change in watch:
        if change.id == "root":
            break
        changes.append(told(change))
    return changes


async def test_each_node_once_in_its_latest_state() -> None:
    tree = Tree()
    old = tree.attach(tree.root, "old", "worker")
    async with tree.watch() as watch:
        for state in (NodeState.STARTING, NodeState.RUNNING, NodeState.STOPPING):
            old.mark(state)
        tree.attach(tree.root, "new", "worker").begin(NodeState.RUNNING)
        assert await take_all(watch, tree) == [
            ("changed", "root.old", "stopping"),
            ("added", "root.new", "running"),
        ]


async def test_what_came_and_went_unread_is_not_told_and_what_was_known_is() -> None:
    tree = Tree()
    known = tree.attach(tree.root, "known", "worker")
    replaced = tree.attach(tree.root, "replaced", "worker")
    async with tree.watch() as watch:
        tree.detach(tree.attach(tree.root, "brief", "worker"))
        known.mark(NodeState.RUNNING)
        tree.detach(known)
        tree.detach(replaced)
        tree.attach(tree.root, "replaced", "worker").begin(NodeState.STARTING)
        assert await take_all(watch, tree) == [
            ("removed", "root.known", None),
            ("changed", "root.replaced", "starting"),
        ]


async def test_a_removed_branch_is_told_from_the_leaves_up() -> None:
    tree = Tree()
    branch = tree.attach(tree.root, "branch", "worker")
    tree.attach(branch, "leaf", "worker")
    async with tree.watch() as watch:
        tree.detach(branch)
        assert await take_all(watch, tree) == [
            ("removed", "root.branch.leaf", None),
            ("removed", "root.branch", None),
        ]


async def test_too_much_is_told_as_one_resync() -> None:
    tree = Tree()
    async with tree.watch(limit=3) as watch:
        for number in range(10):
            tree.attach(tree.root, str(number), "worker")
        assert told(await anext(watch)) == ("resync", "root", None)
        tree.attach(tree.root, "later", "worker")
        assert told(await anext(watch)) == ("added", "root.later", "stopped")


async def test_a_waiting_reader_is_woken_and_one_that_left_is_forgotten() -> None:
    tree = Tree()
    got: list[tuple[str, str, str | None]] = []

    async def read(task_status: trio.TaskStatus[None]) -> None:
        async with tree.watch() as watch:
            task_status.started()
            got.append(told(await anext(watch)))

    async with trio.open_nursery() as nursery:
        await nursery.start(read)
        await trio.testing.wait_all_tasks_blocked()
        tree.attach(tree.root, "a", "worker")
    tree.attach(tree.root, "b", "worker")
    assert got == [("added", "root.a", "stopped")]


async def test_what_waits_can_be_had_without_waiting() -> None:
    tree = Tree()
    async with tree.watch(limit=2) as watch:
        assert watch.next_nowait() is None
        node = tree.attach(tree.root, "a", "worker")
        change = watch.next_nowait()
        assert change is not None
        assert told(change) == ("added", "root.a", "stopped")
        tree.detach(node)
        assert watch.next_nowait() == Change(ChangeKind.REMOVED, "root.a", None)
        for name in "abc":
            tree.attach(tree.root, name, "worker")
        assert watch.next_nowait() == Change(ChangeKind.RESYNC, "root", None)
        assert watch.next_nowait() is None


async def test_what_goes_while_its_reader_wakes_up_is_not_told(nursery: trio.Nursery) -> None:
    tree = Tree()
    found: list[Change] = []

    async def read(watch: Watch) -> None:
        found.append(await anext(watch))

    async with tree.watch() as watch:
        nursery.start_soon(read, watch)
        await trio.testing.wait_all_tasks_blocked()
        node = tree.attach(tree.root, "a", "worker")
        tree.detach(node)
        await trio.testing.wait_all_tasks_blocked()
        assert found == []
        tree.attach(tree.root, "b", "worker")
        await trio.testing.wait_all_tasks_blocked()
    assert [change.id for change in found] == ["root.b"]


async def test_failures_and_overruns_are_changes_and_carry_counts() -> None:
    tree = Tree()
    node = tree.attach(tree.root, "a", "worker")
    tree.attach(node, "leaf", "worker")
    async with tree.watch() as watch:
        node.fail(Crash("x"))
        node.mark_overrun()
        change = await anext(watch)
    assert change.node is not None
    assert change.node.overrun
    assert change.node.last_failure is not None
    assert (change.node.children, change.node.child_count) == ((), 1)


async def test_reading_is_a_checkpoint_that_loses_nothing_when_cancelled() -> None:
    tree = Tree()
    async with tree.watch() as watch:
        tree.attach(tree.root, "a", "worker")
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(watch)
        assert scope.cancelled_caught
        assert told(await anext(watch)) == ("added", "root.a", "stopped")


ids = st.sampled_from(["a", "b", "a.x", "a.y", "b.x"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("attach"), ids),
        st.tuples(st.just("detach"), ids),
        st.tuples(st.sampled_from(list(NodeState)), ids),
        st.tuples(st.just("read"), st.just("")),
    ),
    max_size=40,
)


def states(node: NodeSnapshot) -> dict[str, str]:
    found = {} if node.id == "root" else {node.id: node.state}
    for child in node.children:
        found |= states(child)
    return found


@given(steps, st.integers(1, 6))
def test_a_follower_however_slow_ends_up_with_the_truth(
    script: list[tuple[str, str]], limit: int
) -> None:
    tree = Tree()
    mirror: dict[str, str] = {}

    def apply(change: Change) -> None:
        if change.kind is ChangeKind.RESYNC:
            mirror.clear()
            mirror.update(states(tree.snapshot().root))
        elif change.id != "root":
            if change.node is None:
                del mirror[change.id]  # only what it knew is told as removed
            else:
                assert (change.kind is ChangeKind.ADDED) == (change.id not in mirror)
                mirror[change.id] = change.node.state

    def act(what: str, name: str) -> None:
        parent_id, _, last = f"root.{name}".rpartition(".")
        parent, node = tree.find(parent_id), tree.find(f"root.{name}")
        if what == "attach" and parent is not None and node is None:
            tree.attach(parent, last, "worker")
        elif what == "detach" and node is not None:
            tree.detach(node)
        elif what in list(NodeState) and node is not None:
            node.mark(NodeState(what))

    async def main() -> None:
        async with tree.watch(limit=limit) as watch:
            for what, name in script:
                if what != "read":
                    act(what, name)
                    continue
                with trio.move_on_after(0):
                    apply(await anext(watch))
            while True:
                tree.root.mark(NodeState.RUNNING)  # its change, or a resync, ends the reading
                change = await anext(watch)
                apply(change)
                if change.id == "root":
                    break
            assert mirror == states(tree.snapshot().root)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize("known", list(ChangeKind)[:3])
@pytest.mark.parametrize("new", list(ChangeKind)[:3])
async def test_any_two_changes_of_one_node_merge(known: ChangeKind, new: ChangeKind) -> None:
    """Also those that no tree tells today, so that no order of calls can break a reader."""
    tree = Tree()
    node: Node = tree.attach(tree.root, "a", "worker")
    async with tree.watch() as watch:
        watch.publish(known, node)
        watch.publish(new, node)
        changes = await take_all(watch, tree)
    if (known, new) == (ChangeKind.ADDED, ChangeKind.REMOVED):
        assert changes == []
    else:
        assert len(changes) == 1
        assert (changes[0][0] == "removed") == (
            new is ChangeKind.REMOVED or (known, new) == (ChangeKind.REMOVED, ChangeKind.CHANGED)
        )
