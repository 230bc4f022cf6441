import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from incident_manager.actors.journal.base import SortField
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from incident_manager.http.rest.filters import KNOWN, read_query
from incident_manager.http.rest.problems import InvalidFields


def args(*pairs: tuple[str, str]) -> MultiDict[str, str]:
    return MultiDict(pairs)


def wrong(*pairs: tuple[str, str]) -> list[str]:
    with pytest.raises(InvalidFields) as raised:
        read_query(args(*pairs))
    return [each.field for each in raised.value.errors]


def test_without_parameters_the_newest_come_first() -> None:
    query, paging = read_query(args())
    assert (query.sort, query.descending) == (SortField.CREATED_AT, True)
    assert (query.page, query.size, query.after) == (0, 20, None)
    assert (query.states, query.labels, query.active_only) == (frozenset(), {}, False)
    assert paging.number == 0


def test_every_condition() -> None:
    query, _ = read_query(
        args(
            ("state", "new,Investigating"),
            ("state", "IDENTIFIED"),
            ("severity", "P0"),
            ("source", "a, b"),
            ("type", "cost"),
            ("active_only", "TRUE"),
            ("assigned_to", "ann"),
            ("label", "team:shop"),
            ("label", "gen_ai.request.model=x:y=z"),
            ("created_after", "1970-01-01T00:00:01Z"),
            ("created_before", "1970-01-01T00:00:02Z"),
            ("sort", "severity"),
            ("order", "asc"),
            ("page", "2"),
            ("page_size", "50"),
        )
    )
    assert query.states == {
        IncidentState.NEW,
        IncidentState.INVESTIGATING,
        IncidentState.IDENTIFIED,
    }
    assert query.severities == {Severity.P0}
    assert query.sources == {"a", "b"}
    assert query.types == {IncidentType.COST}
    assert query.active_only
    assert query.assigned_to == "ann"
    assert query.labels == {"team": "shop", "gen_ai.request.model": "x:y=z"}
    assert (query.created_after, query.created_before) == (1_000_000, 2_000_000)
    assert (query.sort, query.descending) == (SortField.SEVERITY, False)
    assert (query.page, query.size) == (2, 50)


def test_first_and_after_page_by_place() -> None:
    query, paging = read_query(args(("first", "5"), ("after", "abc")))
    assert (query.size, query.after, paging.number) == (5, "abc", None)


def test_empty_values_filter_nothing() -> None:
    query, _ = read_query(args(*((name, "") for name in KNOWN)))
    assert query == read_query(args())[0]


def test_every_bad_parameter_is_named() -> None:
    assert wrong(
        ("severities", "P0"),
        ("state", "new,old,older"),
        ("severity", "P9"),
        ("type", "x"),
        ("active_only", "maybe"),
        ("assigned_to", "ann"),
        ("assigned_to", "bob"),
        ("label", "team"),
        ("created_after", "today"),
        ("created_before", "tomorrow"),
        ("sort", "title"),
        ("order", "up"),
        ("page", "-1"),
        ("page_size", "101"),
        ("first", "x"),
    ) == [
        "severities",
        "state",
        "state",
        "severity",
        "type",
        "active_only",
        "assigned_to",
        "label",
        "created_after",
        "created_before",
        "sort",
        "order",
        "first",
        "page",
        "page_size",
    ]


@pytest.mark.parametrize("text", ["1.0", "9" * 11, "4294967296", "٣", "1e3", "+1", "0x1"])
def test_a_page_is_a_whole_number_of_32_bits(text: str) -> None:
    assert wrong(("page", text)) == ["page"]


def test_a_page_and_a_place_exclude_each_other() -> None:
    assert wrong(("page", "1"), ("first", "5")) == ["page"]


def test_one_label_cannot_have_two_values() -> None:
    assert wrong(("label", "team:a"), ("label", "team:b")) == ["label"]
    assert read_query(args(("label", "team:a"), ("label", "team=a")))[0].labels == {"team": "a"}


@given(st.lists(st.tuples(st.sampled_from((*KNOWN, "else")), st.text(max_size=12)), max_size=6))
def test_whatever_comes_is_read_or_named(pairs: list[tuple[str, str]]) -> None:
    blamed: set[str] = set()
    try:
        query, _ = read_query(args(*pairs))
    except InvalidFields as refused:
        blamed = {each.field for each in refused.errors}
    else:
        assert 1 <= query.size <= 100
    assert blamed <= {name for name, _ in pairs}
