"""The garbage collector of a server."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from incident_manager.http.garbage import THRESHOLDS, settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


class Ring:
    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_left_alone_and_what_comes_is_still_collected() -> None:
    settle()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == THRESHOLDS
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_what_was_garbage_before_is_not_kept() -> None:
    before = weakref.ref(Ring())
    settle()
    assert before() is None
