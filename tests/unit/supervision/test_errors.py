"""What supervision raises."""

from __future__ import annotations

import pytest
import trio

from incident_manager.supervision import DuplicateChild, StartFailed, SupervisorGaveUp
from incident_manager.supervision.errors import left, only


def test_only_takes_one_out_and_leaves_several_together() -> None:
    error = KeyError("a")
    assert only(BaseExceptionGroup("", [error])) is error
    several = BaseExceptionGroup("", [error, KeyboardInterrupt()])
    assert only(several) is several


def test_messages_name_who_and_what() -> None:
    assert str(SupervisorGaveUp("root", "a", 3, 5.0)) == (
        "supervisor 'root' gave up: more than 3 restarts within 5 s,"
        " the last asked for by child 'a'"
    )
    assert "'a' of supervisor 'root'" in str(StartFailed("root", "a"))


def test_a_duplicate_is_a_wrong_value() -> None:
    assert issubclass(DuplicateChild, ValueError)


@pytest.mark.parametrize("raised", [None, KeyError("block")])
async def test_what_comes_out_of_a_nursery_is_what_its_block_raised(
    raised: KeyError | None,
) -> None:
    manager = trio.open_nursery()
    await manager.__aenter__()
    assert await left(manager, raised, None) is raised


async def test_a_cancellation_that_the_nursery_caught_is_nothing() -> None:
    manager = trio.open_nursery()
    nursery = await manager.__aenter__()
    nursery.cancel_scope.cancel()
    caught: BaseException | None = None
    try:
        await trio.lowlevel.checkpoint()
    except trio.Cancelled as cancelled:
        caught = cancelled
    assert caught is not None
    assert await left(manager, caught, None) is None


async def test_what_a_block_and_a_task_raise_comes_out_together() -> None:
    async def fails() -> None:
        raise KeyError("task")

    manager = trio.open_nursery()
    nursery = await manager.__aenter__()
    nursery.start_soon(fails)
    block = ValueError("block")
    out = await left(manager, block, None)
    assert isinstance(out, BaseExceptionGroup)
    assert {type(each) for each in out.exceptions} == {KeyError, ValueError}
