"""The plan, as a table for the examples and as laws over all phases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import Strategy
from incident_manager.supervision.plan import Phase, affected, may_start, may_stop

phase_lists = st.lists(st.sampled_from(list(Phase)), max_size=8)


@pytest.mark.parametrize(
    ("strategy", "failed", "expected"),
    [
        (Strategy.ONE_FOR_ONE, "b", ["b"]),
        (Strategy.ONE_FOR_ALL, "b", ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, "b", ["b", "c"]),
        (Strategy.REST_FOR_ONE, "a", ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, "c", ["c"]),
    ],
)
def test_who_is_restarted_with_whom(strategy: Strategy, failed: str, expected: list[str]) -> None:
    assert list(affected(strategy, ["a", "b", "c"], failed)) == expected


@given(phase_lists)
def test_in_order_only_the_last_is_asked_and_only_when_nobody_after_it_is_leaving(
    phases: list[Phase],
) -> None:
    allowed = may_stop(phases, ordered=True)
    doomed = [i for i, phase in enumerate(phases) if phase is Phase.DOOMED]
    if not doomed or Phase.STOPPING in phases[doomed[-1] :]:
        assert list(allowed) == []
    else:
        assert list(allowed) == [doomed[-1]]


@given(phase_lists)
def test_out_of_order_all_are_asked_at_once(phases: list[Phase]) -> None:
    assert list(may_stop(phases, ordered=False)) == [
        i for i, phase in enumerate(phases) if phase is Phase.DOOMED
    ]


@given(phase_lists, st.data(), st.booleans())
def test_who_may_start(phases: list[Phase], data: st.DataObject, ordered: bool) -> None:
    count = len(phases)
    first = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    allowed = may_start(phases, first, ordered=ordered)
    leaving = any(phase in (Phase.DOOMED, Phase.STOPPING) for phase in phases)
    for index, phase in enumerate(phases):
        all_before = all(before in (Phase.RUNNING, Phase.ENDED) for before in phases[:index])
        must = phase is Phase.WAITING
        if ordered:
            must = must and all_before and not leaving
        elif first[index]:
            must = must and all_before
        assert (index in allowed) == must
