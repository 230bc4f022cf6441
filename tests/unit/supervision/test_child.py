"""The handle a body holds, and how what it raises is split."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import Child, Tree
from incident_manager.supervision.child import split
from unit.supervision.scripts import Crash


def new_child() -> Child:
    tree = Tree()
    return Child(tree.attach(tree.root, "a", "worker"))


def test_stopping_is_set_whether_looked_at_before_or_after() -> None:
    before, after = new_child(), new_child()
    event = before.stopping
    assert not event.is_set()
    before.ask()
    after.ask()
    assert event.is_set()
    assert after.stopping.is_set()
    assert before.stopping is event


def test_the_hook_is_called_once_however_often_it_is_asked_to_stop() -> None:
    child, calls = new_child(), []
    child.on_stop(lambda: calls.append("called"))
    child.ask()
    child.ask()
    assert calls == ["called"]


def test_a_hook_that_comes_late_is_called_at_once() -> None:
    child, calls = new_child(), []
    child.ask()
    child.on_stop(lambda: calls.append("called"))
    assert calls == ["called"]


def test_a_hook_that_raises_is_a_failure_and_cancels_the_child() -> None:
    child = new_child()

    def broken() -> None:
        raise Crash("hook")

    child.on_stop(broken)
    child.ask()
    assert child.scope.cancel_called
    assert child.node.last_failure is not None
    assert child.node.last_failure.message == "hook"


async def some_cancelled() -> trio.Cancelled:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            kept = cancelled
            raise
    return kept


CANCELLED = trio.run(some_cancelled)
leaves = st.sampled_from([CANCELLED, KeyboardInterrupt(), SystemExit(), Crash("a"), OSError("b")])
errors = st.recursive(
    leaves, lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda e: group(e))
)


def group(inner: list[BaseException]) -> BaseException:
    return BaseExceptionGroup("", inner)


def all_leaves(error: BaseException | None) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in all_leaves(inner)]
    return [] if error is None else [error]


@given(errors)
def test_split_loses_nothing_and_keeps_back_failures_only(error: BaseException) -> None:
    failure, rest = split(error)
    whole = all_leaves(error)
    assert all_leaves(failure) == [leaf for leaf in whole if isinstance(leaf, Exception)]
    assert all_leaves(rest) == [leaf for leaf in whole if not isinstance(leaf, Exception)]


@pytest.mark.parametrize("error", [CANCELLED, BaseExceptionGroup("", [CANCELLED, CANCELLED])])
def test_only_cancelled_is_no_failure(error: BaseException) -> None:
    assert split(error) == (None, error)


def test_observe_shows_figures_on_the_node() -> None:
    child = new_child()
    child.observe(lambda: {"depth": 3})
    assert child.node.stats is not None
    assert child.node.stats() == {"depth": 3}
