from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.watch.model import STATES
from incident_manager.http.watch.words import (
    age,
    clock,
    line_of,
    line_of_row,
    safe,
    short_state,
)
from unit.http.watch.boards import row, update


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m 00s"),
        (187, "3m 07s"),
        (3600, "1h 00m"),
        (5 * 3600 + 12 * 60 + 59, "5h 12m"),
        (86400, "1d 00h"),
        (12 * 86400 + 4 * 3600, "12d 04h"),
    ],
)
def test_an_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


@given(st.floats(0, 900 * 86400))
def test_an_age_is_short(seconds: float) -> None:
    assert len(age(seconds)) <= 8


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    found = safe(text)
    assert found.isprintable() or not found
    assert len(found) == len(text)


def test_a_title_cannot_paint_the_screen() -> None:
    assert safe("\x1b[2J\u202eboo\nx") == "�[2J�boo�x"


def test_the_time_of_day_is_utc() -> None:
    assert clock(1769860809.9) == "12:00:09Z"


@pytest.mark.parametrize("state", STATES)
def test_a_short_state(state: str) -> None:
    assert len(short_state(state)) <= 8


def test_lines() -> None:
    fields: dict[str, Any] = {"severity": "P1", "alertCount": 3, "assignees": ["ann", "bob"]}
    identity = row().id
    assert line_of(update(kind="ASSIGNED", **fields)) == (
        f"00:33:20Z ASSIGNED      P1 NEW           incident 1 (3 alerts) [tests] -> ann, bob"
        f" {identity} by ann"
    )
    assert line_of_row(row()) == (
        f"00:16:41Z PRESENT       P2 NEW           incident 1 [tests] {identity}"
    )
