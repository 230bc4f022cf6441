from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.watch.model import (
    LIMIT,
    LINGER,
    SEVERITIES,
    STATES,
    Board,
    Row,
    Update,
    Wanted,
)
from unit.http.watch.boards import incident, row, update

ALL = Wanted(active_only=False)
ACTIVE = Wanted()


def only(board: Board) -> Row:
    [found] = board.rows.values()
    return found


def test_an_update_of_a_new_incident_adds_it() -> None:
    board = Board(ACTIVE).apply(update(7, "CREATED"), 5.0)
    assert only(board) == evolve(row(7), changed=5.0)


def test_a_heartbeat_is_no_update() -> None:
    assert Update.read({"updateType": "HEARTBEAT", "incident": None}) is None


def test_a_lower_version_is_old_news() -> None:
    board = Board(ACTIVE).load([row(version=3, state="IDENTIFIED")])
    assert board.apply(update(version=2, state="INVESTIGATING"), 1.0) is board


def test_an_equal_version_brings_alerts_and_nothing_else() -> None:
    board = Board(ACTIVE).load([row(version=3, alertCount=4)])
    for count in (3, 4):
        assert board.apply(update(version=3, alertCount=count), 1.0) is board
    more = board.apply(update(version=3, alertCount=5), 1.0)
    assert only(more) == evolve(row(version=3, alertCount=5), changed=1.0)


def test_who_matches_no_more_lingers_and_goes() -> None:
    board = Board(ACTIVE).load([row()])
    board = board.apply(update(version=2, state="RESOLVED"), 100.0)
    assert (only(board).left, only(board).state) == (100.0, "RESOLVED")
    assert sum(board.counts().values()) == 0
    board = board.apply(update(version=3, state="CLOSED"), 105.0)
    assert only(board).left == 100.0
    assert board.settle(100.0 + LINGER) is board
    assert board.settle(100.1 + LINGER).rows == {}


def test_who_matches_again_stays() -> None:
    board = Board(ACTIVE).load([row()])
    board = board.apply(update(version=2, state="RESOLVED"), 100.0)
    board = board.apply(update(version=3, state="INVESTIGATING"), 101.0)
    assert only(board).left is None
    assert board.settle(1000.0) is board


def test_what_never_matched_is_not_shown() -> None:
    board = Board(Wanted(labels={"tenant": "acme"}))
    assert board.apply(update(labels={"tenant": "other"}), 1.0) is board


def test_a_lost_label_is_a_reason_to_leave() -> None:
    board = Board(Wanted(labels={"tenant": "acme"})).load([row(labels={"tenant": "acme"})])
    assert only(board.apply(update(version=2), 1.0)).left == 1.0


@pytest.mark.parametrize(
    ("wanted", "fields", "matches"),
    [
        (Wanted(), {}, True),
        (Wanted(), {"state": "RESOLVED"}, False),
        (ALL, {"state": "CLOSED"}, True),
        (Wanted(severities=("P0", "P2")), {}, True),
        (Wanted(severities=("P0",)), {}, False),
        (Wanted(states=("NEW",)), {}, True),
        (Wanted(states=("MONITORING",)), {}, False),
        (Wanted(sources=("tests",)), {}, True),
        (Wanted(sources=("x",)), {}, False),
        (Wanted(labels={"a": "1"}), {"labels": {"a": "1", "b": "2"}}, True),
        (Wanted(labels={"a": "1", "c": "3"}), {"labels": {"a": "1"}}, False),
    ],
)
def test_what_is_wanted(wanted: Wanted, fields: dict[str, Any], matches: bool) -> None:
    assert wanted.matches(row(**fields)) is matches


def test_what_the_server_is_asked_for() -> None:
    wanted = Wanted(("P0",), ("NEW",), ("s",), {"a": "1"})
    assert wanted.of_snapshot() == {
        "severities": ["P0"],
        "states": ["NEW"],
        "sources": ["s"],
        "labels": {"a": "1"},
        "activeOnly": True,
    }
    assert wanted.of_stream() == {
        "severities": ["P0"],
        "activeOnly": True,
        "filter": {"states": ["NEW"], "sources": ["s"]},
    }


def test_the_order() -> None:
    rows = [
        row(1, severity="P1"),
        row(2, severity="P0", state="RESOLVED"),
        row(3, severity="P0"),
        row(4, severity="P1"),
    ]
    ordered = Board(ALL).load(rows).ordered()
    assert [int(found.id[-4:]) for found in ordered] == [3, 4, 1, 2]


def test_the_board_is_bounded() -> None:
    board = Board(ALL).load(row(number) for number in range(LIMIT))
    assert (len(board.rows), board.more) == (LIMIT, False)
    board = board.apply(update(LIMIT + 1, severity="P0"), 1.0)
    assert (len(board.rows), board.more) == (LIMIT, True)
    assert board.ordered()[0].severity == "P0"
    assert incident(0)["id"] not in board.rows  # the oldest of the least severe


def test_a_snapshot_replaces_everything() -> None:
    board = Board(ACTIVE).load([row(1)], more=True).load([row(2), row(3, state="CLOSED")])
    assert [found.id for found in board.ordered()] == [row(2).id]
    assert not board.more


STEPS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["alert", *STATES, *SEVERITIES])), max_size=30
)


@given(STEPS, st.integers(0, 30), st.integers(0, 30))
def test_a_snapshot_of_any_moment_and_the_stream_after_it_are_the_truth(
    steps: list[tuple[int, str]], first: int, later: int
) -> None:
    """Odd incidents are on the first page, read at ``first``, the others on one read later."""
    truth: dict[int, dict[str, Any]] = {}
    events: list[tuple[int, dict[str, Any]]] = []
    first = min(first, len(steps))
    later = min(max(first, later), len(steps))
    page_one: dict[int, dict[str, Any]] = {}
    page_two: dict[int, dict[str, Any]] = {}
    for place in range(len(steps) + 1):
        if place == first:
            page_one = {number: held for number, held in truth.items() if number % 2}
        if place == later:
            page_two = {number: held for number, held in truth.items() if number % 2 == 0}
        if place == len(steps):
            break
        number, what = steps[place]
        held = truth.get(number) or incident(number, alertCount=0, version=0)
        if what == "alert" and number in truth:
            held = {**held, "alertCount": held["alertCount"] + 1}
        else:
            held = {**held, "version": held["version"] + 1}
            if what in STATES:
                held["state"] = what
            elif what in SEVERITIES:
                held["severity"] = what
        truth[number] = held
        events.append((number, held))
    board = Board(ALL).load(map(Row.read, [*page_one.values(), *page_two.values()]))
    for number, held in events[first:]:
        board = board.apply(update(number, **held), 1.0)
    shown = {key: evolve(found, changed=None) for key, found in board.rows.items()}
    assert shown == {held["id"]: Row.read(held) for held in truth.values()}
