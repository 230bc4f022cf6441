import pytest

from incident_manager.actors.commands import ResolveIncident
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.vocabulary import ResolutionMethod, Severity
from incident_manager.http.rest.fields import Fields, read_choice, read_time, wanted_id
from incident_manager.http.rest.problems import FieldError, InvalidFields

ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
TEXTS = {"notes": "notes", "root_cause": "root_cause"}
NEUTRAL = ResolveIncident("-", ResolutionMethod.MANUAL, "-")


@pytest.mark.parametrize("text", ["p1", "P1"])
def test_a_choice_is_read_in_any_case(text: str) -> None:
    assert read_choice(Severity, text) is Severity.P1


@pytest.mark.parametrize("value", ["P9", "", 1, None, ["P1"], "ﬀ"])
def test_anything_else_is_told_the_choices(value: object) -> None:
    with pytest.raises(ValueError, match="must be one of P0, P1, P2, P3, P4"):
        read_choice(Severity, value)


def test_a_time_has_an_offset() -> None:
    assert read_time("1970-01-01T01:00:00.5+01:00") == 500_000
    for wrong in ("now", 0, "1970-01-01T00:00:00", "1970-02-30T00:00:00Z"):
        with pytest.raises(ValueError, match=r"RFC 3339|calendar"):
            read_time(wrong)


def test_every_field_that_is_wrong_is_named() -> None:
    fields = Fields({"method": "x", "at": "y", "level": 3, "root_cause": 4, "notes": None})
    assert fields.choice("method", ResolutionMethod) is None
    assert fields.choice("level", Severity) is None
    assert fields.time("at") is None
    assert fields.limited(NEUTRAL, TEXTS, ("notes",)).notes == "-"
    assert fields.attempt(lambda: wanted_id("7")) is None
    fields.refused(Refused(ErrorCode.BAD_USER_INPUT, "Nothing fits."))
    with pytest.raises(InvalidFields) as raised:
        fields.done()
    assert [error.field for error in raised.value.errors] == [
        "method",
        "level",
        "at",
        "notes",
        "root_cause",
        "id",
        "",
    ]


def test_fields_that_are_absent_or_null_are_not_wrong() -> None:
    fields = Fields({"level": None, "unknown": 1})
    assert fields.choice("level", Severity) is None
    assert fields.time("at") is None
    assert fields.limited(NEUTRAL, TEXTS, ()) == NEUTRAL
    fields.done()


def test_a_required_choice_that_is_absent_is_named_once() -> None:
    fields = Fields({})
    assert fields.choice("severity", Severity, required=True) is None
    assert fields.errors == [FieldError("severity", "severity is required")]


def test_what_is_right_is_taken() -> None:
    fields = Fields({"method": "automated", "notes": "n", "root_cause": "r"})
    assert fields.choice("method", ResolutionMethod) is ResolutionMethod.AUTOMATED
    assert fields.attempt(lambda: wanted_id(ID.upper())) == ID
    command = fields.limited(NEUTRAL, TEXTS, ("notes",))
    assert (command.notes, command.root_cause) == ("n", "r")
    fields.done()
