"""Pages: what may be asked for, and what a page says of itself."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Bounds, IncidentPage, IncidentQuery, SortField
from incident_manager.actors.journal.reads import AlertPage, AlertQuery
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from incident_manager.schema.pages import (
    Edge,
    PageInfo,
    Paging,
    alert_connection,
    alert_query,
    connection,
    incident_query,
    refused,
)
from unit.actors.builders import make_alert, make_incident


@pytest.mark.parametrize(
    ("given_", "paging"),
    [
        (None, Paging(0, 20)),
        ({}, Paging(0, 20)),
        ({"page": None, "page_size": None, "first": None, "after": None}, Paging(0, 20)),
        ({"page": 3, "page_size": 100}, Paging(3, 100)),
        ({"page": 0, "page_size": 20, "first": 7}, Paging(None, 7)),
        ({"page_size": 9, "after": "c"}, Paging(None, 9, "c")),
        ({"page_size": 9, "first": 1, "after": "c"}, Paging(None, 1, "c")),
    ],
)
def test_what_is_meant(given_: dict[str, Any] | None, paging: Paging) -> None:
    assert Paging.read(given_) == paging


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"page": -1}, "page"),
        ({"page_size": 0}, "pageSize"),
        ({"page_size": 101}, "pageSize"),
        ({"page_size": 101, "first": 5}, "pageSize"),
        ({"first": 0}, "first"),
        ({"first": 101}, "first"),
        ({"page": 1, "first": 5}, "page"),
        ({"page": 1, "after": "c"}, "page"),
    ],
)
def test_what_is_refused(given_: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        Paging.read(given_)
    assert caught.value.code is ErrorCode.BAD_USER_INPUT
    assert caught.value.field == field
    assert caught.value.message.startswith(field)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "page": st.none() | st.integers(-2, 3),
            "page_size": st.none() | st.integers(-1, 102),
            "first": st.none() | st.integers(-1, 102),
            "after": st.none() | st.text(),
        },
    )
)
def test_a_page_that_is_taken_can_be_answered(given_: dict[str, Any]) -> None:
    try:
        paging = Paging.read(given_)
    except Refused:
        return
    assert 1 <= paging.size <= 100
    assert (paging.number is None) == (
        given_.get("first") is not None or given_.get("after") is not None
    )


def test_no_conditions() -> None:
    plain = IncidentQuery()
    assert incident_query(None, Paging(), None) == plain
    empty: dict[str, Any] = {"states": [], "sources": None, "labels": {}, "active_only": None}
    assert incident_query(empty, Paging(), {"field": SortField.CREATED_AT}) == plain


def test_every_condition_arrives() -> None:
    given_: dict[str, Any] = {
        "states": [IncidentState.NEW],
        "severities": [Severity.P0, Severity.P1],
        "sources": ["a"],
        "types": [IncidentType.COST],
        "active_only": True,
        "assigned_to": "rae",
        "labels": {"a": "b"},
        "created_after": 1,
        "created_before": 2,
    }
    sort = {"field": SortField.SEVERITY, "order": "ASC"}
    assert incident_query(given_, Paging(None, 5, "c"), sort) == IncidentQuery(
        states=frozenset({IncidentState.NEW}),
        severities=frozenset({Severity.P0, Severity.P1}),
        sources=frozenset({"a"}),
        types=frozenset({IncidentType.COST}),
        active_only=True,
        assigned_to="rae",
        labels={"a": "b"},
        created_after=1,
        created_before=2,
        sort=SortField.SEVERITY,
        descending=False,
        page=0,
        size=5,
        after="c",
    )
    assert incident_query(None, Paging(2, 7), {"field": SortField.STATE}).page == 2


@pytest.mark.parametrize(
    ("total", "size", "pages"), [(0, 20, 0), (1, 20, 1), (20, 20, 1), (21, 20, 2), (5, 1, 5)]
)
def test_how_many_pages(total: int, size: int, pages: int) -> None:
    page = IncidentPage((), (), total, False, False, Bounds("e", 1, 0))
    info = connection(page, Paging(0, size)).page_info
    assert (info.total_pages, info.total_count, info.end_cursor) == (pages, total, None)


def test_a_connection() -> None:
    one, two = make_incident(1), make_incident(2)
    page = IncidentPage((one, two), ("a", "b"), 5, True, False, Bounds("e", 1, 9))
    found = connection(page, Paging(None, 2))
    assert found.incidents == (one, two)
    assert found.edges == (Edge(one, "a"), Edge(two, "b"))
    assert found.page_info == PageInfo(None, 2, 5, 3, True, False, "b")
    assert str(found.cursor) == "e:9"


def test_every_condition_on_alerts_arrives() -> None:
    assert alert_query(None, Paging()) == AlertQuery()
    empty: dict[str, Any] = {"sources": [], "severities": None, "labels": None, "incident_id": None}
    assert alert_query(empty, Paging()) == AlertQuery()
    given_: dict[str, Any] = {
        "sources": ["a"],
        "severities": [Severity.P0],
        "incident_id": "i",
        "labels": {"a": "b"},
        "received_after": 1,
    }
    assert alert_query(given_, Paging(None, 5, "c")) == AlertQuery(
        sources=frozenset({"a"}),
        severities=frozenset({Severity.P0}),
        incident_id="i",
        labels={"a": "b"},
        received_after=1,
        size=5,
        after="c",
    )
    assert alert_query(None, Paging(3)).page == 3


def test_a_page_of_alerts() -> None:
    alert = make_alert()
    page = AlertPage((alert,), ("c",), 41, True, False, Bounds("e", 1, 9))
    found = alert_connection(page, Paging())
    assert found.alerts == (alert,)
    assert found.page_info == PageInfo(0, 20, 41, 3, True, False, "c")
    assert str(found.cursor) == "e:9"


def test_what_the_journal_judges_names_its_field() -> None:
    with pytest.raises(Refused) as caught, refused():
        raise ValueError("after is not a cursor of this list")
    assert (caught.value.code, caught.value.field) == (ErrorCode.BAD_USER_INPUT, "after")
    assert caught.value.message == "after is not a cursor of this list."
