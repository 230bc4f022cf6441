"""The scalars: what is read from a client, and what is written to one.

Every reader raises GraphQLError with a text for the client; graphql-core adds the place.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from ariadne import ScalarType
from graphql import (
    GraphQLError,
    Node,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
    value_from_ast_untyped,
)

from incident_manager.actors.cursor import Cursor, CursorError
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.model import Micros

__all__ = [
    "SCALARS",
    "parse_cursor",
    "parse_datetime",
    "parse_map",
    "parse_map_literal",
    "parse_uuid",
    "write_datetime",
    "write_map",
]

_EPOCH: Final = datetime(1970, 1, 1)  # UTC throughout; naive so that "Z" can follow
_NO_STRING: Final = "Map must have strings as values"
_MICRO: Final = timedelta(microseconds=1)
_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)
# RFC 3339, section 5.6. Fractions finer than a microsecond are cut.
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII,
)


def parse_uuid(value: object) -> str:
    """A UUID of version 4 or 7 (RFC 9562) in lower case."""
    if isinstance(value, str) and _UUID.fullmatch(text := value.lower()):
        return text
    raise GraphQLError("UUID must be a UUID of version 4 or 7.")


def parse_datetime(value: object) -> Micros:
    """A time of RFC 3339, with any offset, as microseconds since 1970 in UTC.

    A leap second counts as the second after it.
    """
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise GraphQLError("DateTime must be a time of RFC 3339, like 2026-01-31T12:00:00Z.")
    date, clock, fraction, sign, hours, minutes = found.groups()
    leap = clock.endswith(":60")
    try:
        moment = datetime.fromisoformat(f"{date}T{clock[:-2] + '59' if leap else clock}")
    except ValueError:
        raise GraphQLError(f"DateTime {value!r} is not in the calendar.") from None
    micros = (moment - _EPOCH) // _MICRO + int(f"{fraction or '':0<6}"[:6])
    if leap:
        micros += 1_000_000
    if sign is not None:
        offset = (int(hours) * 60 + int(minutes)) * 60_000_000
        micros += offset if sign == "-" else -offset
    try:
        write_datetime(micros)
    except OverflowError:
        raise GraphQLError(f"DateTime {value!r} is not between the years 1 and 9999.") from None
    return micros


def write_datetime(micros: Micros) -> str:
    """RFC 3339 in UTC with six digits of a second; OverflowError outside the years 1 to 9999."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds") + "Z"


def parse_map(value: object) -> dict[str, str]:
    """An object whose values are strings."""
    if not isinstance(value, Mapping):
        raise GraphQLError("Map must be an object whose values are strings.")
    for key, item in value.items():
        if not isinstance(item, str):
            raise GraphQLError(f"{_NO_STRING}; that of {str(key)[:80]!r} is none.")
    return dict(value)


def parse_cursor(value: object) -> Cursor:
    """A cursor, ``epoch:offset``."""
    try:
        return Cursor.parse(value)
    except CursorError as error:
        raise GraphQLError(f"Cursor is wrong: {error}.") from None


def parse_map_literal(
    node: ValueNode, variables: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """A Map that is written in the document, where a value may be a variable.

    Without ``variables`` the document is only being validated: what they bring is not known.
    """
    if not isinstance(node, ObjectValueNode):
        raise _bad("Map must be an object whose values are strings.", node)
    found: dict[str, str] = {}
    for entry in node.fields:
        value: object = None
        if isinstance(entry.value, StringValueNode):
            value = entry.value.value
        elif isinstance(entry.value, VariableNode):
            name = entry.value.name.value
            if variables is None or name not in variables:
                continue
            value = variables[name]
        if not isinstance(value, str):
            raise _bad(f"{_NO_STRING}; that of {entry.name.value!r} is none.", entry)
        found[entry.name.value] = value
    return found


def _literal(parse: Callable[[object], Any]) -> Callable[..., Any]:
    """The reader of what is written in a document, with its place in the error."""

    def read(node: ValueNode, _variables: object = None) -> Any:
        try:
            return parse(value_from_ast_untyped(node))
        except GraphQLError as error:
            raise _bad(error.message, node) from None

    return read


def _bad(message: str, node: Node) -> GraphQLError:
    return GraphQLError(message, node, extensions={"code": ErrorCode.BAD_USER_INPUT.value})


def _scalar(name: str, write: Callable[[Any], Any], read: Callable[[object], Any]) -> ScalarType:
    return ScalarType(name, serializer=write, value_parser=read, literal_parser=_literal(read))


def write_map(value: Mapping[str, str]) -> dict[str, str]:
    """A Map as every JSON encoder takes it: some know no other Mapping than a dict."""
    return value if type(value) is dict else dict(value)


def _as_it_is(value: Any) -> Any:
    return value


SCALARS: Final = [
    _scalar("UUID", _as_it_is, parse_uuid),
    _scalar("DateTime", write_datetime, parse_datetime),
    ScalarType(
        "Map", serializer=write_map, value_parser=parse_map, literal_parser=parse_map_literal
    ),
    ScalarType("JSON", serializer=_as_it_is, value_parser=_as_it_is),
    _scalar("Cursor", str, parse_cursor),
]
"""The bindings of the scalars to the schema. What the model holds as text is written as it is."""
