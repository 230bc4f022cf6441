"""Scalars: what is written can be read again, and what is wrong is said to be."""

from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from uuid import UUID, uuid3

import msgspec
import pytest
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.ids import uuid7
from incident_manager.schema.build import schema
from incident_manager.schema.scalars import (
    parse_cursor,
    parse_datetime,
    parse_map,
    parse_map_literal,
    parse_uuid,
    write_datetime,
    write_map,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
MOMENTS = st.integers(FIRST, LAST)


@given(MOMENTS)
def test_a_time_reads_as_it_was_written(micros: int) -> None:
    text = write_datetime(micros)
    assert parse_datetime(text) == micros
    assert len(text) == len("2026-01-31T12:00:00.000000Z")
    assert text.endswith("Z")


@given(MOMENTS)
def test_a_written_time_is_what_python_says(micros: int) -> None:
    assert datetime.fromisoformat(write_datetime(micros)) == EPOCH + timedelta(microseconds=micros)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-1439, 1439))
def test_any_offset_is_taken(local: datetime, minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_datetime(moment.isoformat()) == (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00-00:00", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.5Z", 500_000),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1990-12-31T23:59:60Z", 662_688_000_000_000),  # the leap second of RFC 3339, section 5.8
    ],
)
def test_forms_of_rfc_3339(text: str, same: int) -> None:
    assert parse_datetime(text) == same


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00Z",
        "1970-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00.Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "१९७०-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z\n",
        0,
        True,
        None,
    ],
)
def test_no_time(value: object) -> None:
    with pytest.raises(GraphQLError, match="DateTime"):
        parse_datetime(value)


def test_a_time_beyond_the_calendar_is_not_written() -> None:
    with pytest.raises(OverflowError):
        write_datetime(LAST + 1)


@given(st.uuids(version=4), st.integers(0, 2**47), st.binary(min_size=10, max_size=10))
def test_uuids_of_version_4_and_7(four: UUID, now: int, random: bytes) -> None:
    seven = uuid7(now, random)
    assert parse_uuid(str(four)) == str(four)
    assert parse_uuid(seven.upper()) == seven


_FOUR = "986a1403-1db8-4758-8d6a-b1dd09063f86"


@pytest.mark.parametrize(
    "value",
    [
        "7981f916-e6ca-11f1-9a29-02fc00000001",  # version 1
        str(uuid3(UUID(int=0), "x")),
        str(UUID(int=0)),
        _FOUR.replace("-", ""),
        f"{{{_FOUR}}}",
        f" {_FOUR}",
        f"{_FOUR}\n",
        "00000000-0000-4000-c000-000000000000",  # version 4, but another variant
        7,
        None,
    ],
)
def test_no_uuid(value: object) -> None:
    with pytest.raises(GraphQLError, match="UUID must be a UUID of version 4 or 7"):
        parse_uuid(value)


@given(st.dictionaries(st.text(), st.text()))
def test_a_map_reads_as_it_is(value: dict[str, str]) -> None:
    assert parse_map(value) == value


@pytest.mark.parametrize("value", [None, "", [], {"a": 1}, {"a": None}, {"a": {}}])
def test_no_map(value: object) -> None:
    with pytest.raises(GraphQLError, match="Map must"):
        parse_map(value)


def test_a_map_in_a_document() -> None:
    node = parse_value('{a: "b", c: $v, d: $absent}')
    assert parse_map_literal(node) == {"a": "b"}, "nothing is known of variables yet"
    assert parse_map_literal(node, {"v": "x"}) == {"a": "b", "c": "x"}


@pytest.mark.parametrize("text", ["{a: 1}", "{a: $v}", "{a: {}}", '"a"', "[]", "{a: B}"])
def test_no_map_in_a_document(text: str) -> None:
    with pytest.raises(GraphQLError, match="Map must") as caught:
        parse_map_literal(parse_value(text), {"v": 1})
    assert caught.value.locations
    assert caught.value.extensions == {"code": "BAD_USER_INPUT"}


def test_a_cursor_reads_as_it_was_written() -> None:
    assert parse_cursor("e1:7") == Cursor("e1", 7)
    with pytest.raises(GraphQLError, match="Cursor is wrong"):
        parse_cursor("e1")


def test_the_schema_has_these_scalars() -> None:
    kind = schema.type_map["JSON"]
    assert kind.parse_value({"a": [1]}) == {"a": [1]}  # type: ignore[attr-defined]
    assert kind.serialize({"a": [1]}) == {"a": [1]}  # type: ignore[attr-defined]
    cursor = schema.type_map["Cursor"]
    assert cursor.serialize(Cursor("e", 1)) == "e:1"  # type: ignore[attr-defined]
    assert cursor.parse_literal(parse_value('"e:1"')) == Cursor("e", 1)  # type: ignore[attr-defined]


def test_a_map_is_written_as_what_every_encoder_takes() -> None:
    plain = {"tenant": "acme"}
    assert write_map(plain) is plain
    assert msgspec.json.encode(write_map(MappingProxyType(plain))) == b'{"tenant":"acme"}'
