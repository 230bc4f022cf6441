"""What supervision raises."""

from __future__ import annotations

from incident_manager.supervision import DuplicateChild, StartFailed, SupervisorGaveUp
from incident_manager.supervision.errors import only


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
