"""Every limit of the contract's section 2, at its edge and beyond, with the field it names."""

from typing import get_args

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors import commands as c
from incident_manager.actors.commands import Command
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.limits import check
from incident_manager.actors.vocabulary import ResolutionMethod, Severity
from unit.actors.support import make_create, make_submit

ALERT = make_submit()
CREATE = make_create()
UPDATE = c.UpdateIncident("1", title="x")
ASSIGN = c.AssignIncident("1", ())
COMMENT = c.AddComment("1", "x")
ESCALATE = c.EscalateIncident("1", Severity.P0, "x")
RESOLVE = c.ResolveIncident("1", ResolutionMethod.MANUAL, "")
REOPEN = c.ReopenIncident("1")
LINK = c.LinkIncidents("1", "2")
REDACT = c.RedactIncident("1", "x")
PLAIN = (
    ALERT,
    CREATE,
    UPDATE,
    ASSIGN,
    COMMENT,
    ESCALATE,
    RESOLVE,
    REOPEN,
    LINK,
    REDACT,
    c.AcknowledgeIncident("1"),
    c.CloseIncident("1"),
)

# Command, attribute, its name in the contract, the least and the most that it may have; in
# characters, or in KB of UTF-8 where that is a string.
TEXTS = [
    (ALERT, "source", "source", 1, 255),
    (ALERT, "title", "title", 1, 500),
    (ALERT, "description", "description", 0, "64"),
    (ALERT, "external_id", "externalId", 1, 255),
    (ALERT, "source_key", "externalId", 1, 600),
    (ALERT, "runbook_url", "runbookUrl", 1, 2048),
    (CREATE, "source", "source", 1, 255),
    (CREATE, "title", "title", 1, 500),
    (CREATE, "description", "description", 0, "64"),
    (UPDATE, "id", "id", 1, 64),
    (UPDATE, "title", "title", 1, 500),
    (UPDATE, "description", "description", 0, "64"),
    (COMMENT, "content", "comment", 1, "64"),
    (ESCALATE, "reason", "reason", 1, 1024),
    (REOPEN, "reason", "reason", 1, 1024),
    (REDACT, "reason", "reason", 1, 1024),
    (RESOLVE, "notes", "notes", 0, "64"),
    (RESOLVE, "root_cause", "rootCause", 0, "64"),
    (LINK, "id", "id", 1, 64),
    (LINK, "related_id", "relatedId", 1, 64),
]
LISTS = [
    (ALERT, "affected_services", "affectedServices", 256, 255),
    (CREATE, "affected_resources", "affectedResources", 256, 255),
    (CREATE, "assignees", "assignees", 64, 255),
    (UPDATE, "assignees", "assignees", 64, 255),
    (ASSIGN, "assignees", "assignees", 64, 255),
    (UPDATE, "remove_labels", "removeLabels", 64, 128),
    (REDACT, "scope", "fields", 16, 32),
    (REDACT, "label_patterns", "labels", 64, 128),
]
MAPS = [
    (ALERT, "labels", "labels", 1024),
    (ALERT, "annotations", "annotations", 8192),
    (CREATE, "labels", "labels", 1024),
    (CREATE, "metadata", "metadata", 1024),
    (UPDATE, "add_labels", "addLabels", 1024),
    (UPDATE, "metadata", "metadata", 1024),
]


def ids(value: object) -> str | None:
    return type(value).__name__ if type(value) in get_args(Command) else None


def refused(command: Command, **change: object) -> Refused:
    with pytest.raises(Refused) as caught:
        check(evolve(command, **change))  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.BAD_USER_INPUT
    assert caught.value.field is not None
    assert caught.value.message.startswith(caught.value.field)
    return caught.value


def test_every_kind_of_command_is_here_and_passes() -> None:
    assert {type(command) for command in PLAIN} == set(get_args(Command))
    for command in PLAIN:
        check(command)


def test_every_text_list_and_map_of_every_command_has_a_limit() -> None:
    # What cannot be too large: enumerations, numbers and the like.
    free = {"severity", "alert_type", "incident_type", "state", "method", "timestamp"}
    free |= {"resolved", "expected_version"}
    for command in PLAIN:
        for each in fields(type(command)):
            if each.name not in free:
                refused(command, **{each.name: object()})


@pytest.mark.parametrize(("command", "attribute", "field", "least", "most"), TEXTS, ids=ids)
def test_texts(command: Command, attribute: str, field: str, least: int, most: int | str) -> None:
    size = most if isinstance(most, int) else int(most) * 1024
    check(evolve(command, **{attribute: "x" * size}))
    assert refused(command, **{attribute: "x" * (size + 1)}).field == field
    if isinstance(most, str):  # counted in bytes of UTF-8
        check(evolve(command, **{attribute: "é" * (size // 2)}))
        assert refused(command, **{attribute: "é" * (size // 2) + "x"}).field == field
    else:  # counted in characters
        check(evolve(command, **{attribute: "é" * size}))
    if least:
        for empty in ("", " ", "\t\n "):
            assert refused(command, **{attribute: empty}).field == field
    else:
        check(evolve(command, **{attribute: ""}))


@pytest.mark.parametrize(("command", "attribute", "field", "most", "size"), LISTS, ids=ids)
def test_lists(command: Command, attribute: str, field: str, most: int, size: int) -> None:
    check(evolve(command, **{attribute: ("x" * size,) * most}))
    check(evolve(command, **{attribute: ["x"]}))
    assert refused(command, **{attribute: ("x",) * (most + 1)}).field == field
    assert refused(command, **{attribute: ("x", "x" * (size + 1))}).field == f"{field}[1]"
    assert refused(command, **{attribute: ("", "x")}).field == f"{field}[0]"
    assert refused(command, **{attribute: "x"}).field == field
    assert refused(command, **{attribute: (1,)}).field == f"{field}[0]"


@pytest.mark.parametrize(("command", "attribute", "field", "size"), MAPS, ids=ids)
def test_maps(command: Command, attribute: str, field: str, size: int) -> None:
    whole = {f"{n:0128}": "x" * size for n in range(64)}
    check(evolve(command, **{attribute: whole}))
    assert refused(command, **{attribute: {**whole, "65": ""}}).field == field
    assert refused(command, **{attribute: {"a": "x" * (size + 1)}}).field == f"{field}.a"
    assert refused(command, **{attribute: {"x" * 129: ""}}).field == f"{field} key"
    assert refused(command, **{attribute: {" ": ""}}).field == f"{field} key"
    assert refused(command, **{attribute: {"a": 1}}).field == f"{field}.a"
    assert refused(command, **{attribute: {1: "a"}}).field == f"{field} key"
    assert refused(command, **{attribute: ["a"]}).field == field


BAD = st.tuples(st.text(max_size=3), st.sampled_from(["\0", "\ud800", "\udfff"])).map("x".join)


@given(st.sampled_from(TEXTS), BAD)
def test_no_text_has_half_a_surrogate_or_a_nul(
    case: tuple[Command, str, str, int, int | str], bad: str
) -> None:
    command, attribute, field, *_ = case
    assert refused(command, **{attribute: bad}).field == field


@given(BAD)
def test_no_item_key_or_value_has_them_either(bad: str) -> None:
    assert refused(ALERT, affected_services=("a", bad)).field == "affectedServices[1]"
    assert refused(ALERT, labels={"a": bad}).field == "labels.a"
    refused(ALERT, labels={bad: "a"})


@given(st.text(min_size=1, max_size=500).filter(lambda t: t.strip() and "\0" not in t))
def test_any_other_text_is_a_title(title: str) -> None:
    check(evolve(ALERT, title=title))


def test_the_message_says_how_much_is_too_much() -> None:
    assert refused(ALERT, title="x" * 501).message == (
        "title must have at most 500 characters, not 501"
    )
    assert refused(ALERT, description="x" * 65537).message == (
        "description must have at most 64 KB, not 65537 bytes"
    )
    assert refused(ASSIGN, assignees=("x",) * 65).message == (
        "assignees must have at most 64 items, not 65"
    )
