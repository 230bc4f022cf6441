import pytest
from werkzeug.datastructures import MultiDict

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.rest import parameters as p
from incident_manager.http.rest.parameters import Param, Parameters

TABLE = (
    p.choices("severity", "", Severity, "severities"),
    p.choice("least", "", Severity, Severity.P4),
    p.texts("source", ""),
    p.text("who", ""),
    p.labels("label", "", "labels"),
    p.boolean("active", ""),
    p.number("size", "", 1, 9, 3),
    p.time("since", ""),
    p.identifier("id", ""),
    p.cursor("after", ""),
)
ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"


def read(*pairs: tuple[str, str]) -> tuple[dict[str, object], list[str]]:
    given = Parameters(MultiDict(pairs))
    return given.read(TABLE), [error.field for error in given.errors]


def test_each_is_read_as_its_kind() -> None:
    values, wrong = read(
        ("severity", "p0,P1"),
        ("least", "p2"),
        ("source", "a,b"),
        ("who", "ann, bob"),
        ("label", "team:shop"),
        ("active", "1"),
        ("size", "7"),
        ("since", "1970-01-01T00:00:01Z"),
        ("id", ID.upper()),
        ("after", "e:7"),
    )
    assert wrong == []
    assert values == {
        "severities": [Severity.P0, Severity.P1],
        "least": Severity.P2,
        "source": ["a", "b"],
        "who": "ann, bob",
        "labels": {"team": "shop"},
        "active": True,
        "size": 7,
        "since": 1_000_000,
        "id": ID,
        "after": Cursor("e", 7),
    }


def test_without_any_there_is_nothing() -> None:
    values, wrong = read()
    assert wrong == []
    assert not any(values.values())


@pytest.mark.parametrize("param", TABLE, ids=lambda param: param.name)
def test_what_is_wrong_is_named(param: Param) -> None:
    if param.name not in ("source", "who"):
        assert read((param.name, "?"))[1] == [param.name]
    if "items" not in param.schema:
        assert read((param.name, "a"), (param.name, "b"))[1] == [param.name]


def test_what_nobody_asks_for_is_named() -> None:
    assert read(("sevrity", "P0"))[1] == ["sevrity"]
