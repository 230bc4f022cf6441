"""The parameters of a URL: a table has how each is read, and its schema."""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from attrs import define, field, frozen
from werkzeug.datastructures import MultiDict

from incident_manager.actors.cursor import Cursor, CursorError
from incident_manager.http.rest.fields import read_choice, read_id, read_time
from incident_manager.http.rest.problems import FieldError, InvalidFields

__all__ = [
    "Param",
    "Parameters",
    "boolean",
    "choice",
    "choices",
    "cursor",
    "identifier",
    "labels",
    "number",
    "read_boolean",
    "read_int",
    "text",
    "texts",
    "time",
]

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

_INT: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_MOST_INT: Final = 2**31 - 1
_BOOLEAN: Final = {"true": True, "1": True, "false": False, "0": False}


def read_boolean(text: str) -> bool:
    """``true`` or ``false``; ValueError says so."""
    try:
        return _BOOLEAN[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None


def read_int(text: str) -> int:
    """A whole number of 32 bits; ValueError says so."""
    if _INT.fullmatch(text) and abs(int(text)) <= _MOST_INT:
        return int(text)
    raise ValueError("must be a whole number")


def _read_cursor(text: str) -> Cursor:
    try:
        return Cursor.parse(text)
    except CursorError:
        raise ValueError("must be a cursor, of the form epoch:offset") from None


@define
class Parameters:
    """The parameters of a URL, and what is wrong with those that were read."""

    args: MultiDict[str, str]
    errors: list[FieldError] = field(factory=list)

    def wrong(self, name: str, what: str) -> None:
        """Note what is wrong with a parameter."""
        self.errors.append(FieldError(name, f"{name} {what}"))

    def only(self, known: Iterable[str]) -> None:
        """Note every parameter that is not known."""
        names = tuple(known)
        for name in self.args:
            if name not in names:
                self.errors.append(
                    FieldError(name, f"{name[:40]} is not a parameter here: {', '.join(names)} are")
                )

    def read(self, table: Iterable["Param"]) -> dict[str, Any]:
        """What each parameter of the table says, by its ``field``; notes those not in it."""
        wanted = tuple(table)
        self.only(param.name for param in wanted)
        return {param.field: param.read(self, param.name) for param in wanted}

    def one(self, name: str, read: Callable[[str], T]) -> T | None:
        """The one value of a parameter; None where it is absent, empty or wrong."""
        values = [value for value in self.args.getlist(name) if value]
        if not values:
            return None
        if len(values) > 1:
            self.wrong(name, "is given more than once")
            return None
        try:
            return read(values[0])
        except ValueError as error:
            self.wrong(name, str(error))
        return None

    def each(self, name: str) -> list[str]:
        """The values of a parameter that may come more than once, or with commas."""
        texts = (text.strip() for value in self.args.getlist(name) for text in value.split(","))
        return [text for text in texts if text]

    def choices(self, name: str, kind: type[E]) -> list[E]:
        """The same as members of an enumeration, in any case."""
        found: list[E] = []
        for text in self.each(name):
            try:
                found.append(read_choice(kind, text))
            except ValueError as error:
                self.wrong(name, f"is {text[:40]!r}; it {error}")
        return found

    def pairs(self, name: str) -> dict[str, str]:
        """The pairs ``key:value`` or ``key=value`` of a parameter that may come more than once."""
        found: dict[str, str] = {}
        for text in self.args.getlist(name):
            if not text:
                continue
            pair = re.fullmatch(r"([^:=]+)[:=](.*)", text, re.DOTALL)
            if pair is None:
                self.wrong(name, f"is {text[:40]!r}; it must be key:value or key=value")
            elif found.setdefault(pair[1], pair[2]) != pair[2]:
                self.wrong(name, f"asks for two values of {pair[1][:40]!r}; nothing has both")
        return found

    def done(self) -> None:
        """Raise :class:`InvalidFields` if anything was wrong."""
        if self.errors:
            raise InvalidFields(self.errors)


@frozen
class Param:
    """One parameter: its JSON Schema, and who reads it. ``field`` is its name in the query."""

    name: str
    about: str
    schema: Mapping[str, object]
    read: Callable[[Parameters, str], Any]
    field: str


def _param(
    name: str,
    about: str,
    schema: Mapping[str, object],
    read: Callable[[Parameters, str], Any],
    field: str | None,
) -> Param:
    return Param(name, about, schema, read, name if field is None else field)


def _single(
    name: str,
    about: str,
    schema: Mapping[str, object],
    read: Callable[[str], Any],
    field: str | None,
) -> Param:
    return _param(name, about, schema, lambda given, name: given.one(name, read), field)


def choices(name: str, about: str, kind: type[StrEnum], field: str | None = None) -> Param:
    """Any of these members."""
    schema = {"type": "array", "items": {"type": "string", "enum": list(kind.__members__)}}
    return _param(name, about, schema, lambda given, name: given.choices(name, kind), field)


def choice(name: str, about: str, kind: type[E], default: E, field: str | None = None) -> Param:
    """One of these members."""
    schema = {"type": "string", "enum": list(kind.__members__), "default": default.value}
    return _single(name, about, schema, lambda text: read_choice(kind, text), field)


def texts(name: str, about: str, field: str | None = None) -> Param:
    """Any of these texts; a comma parts two."""
    schema = {"type": "array", "items": {"type": "string"}}
    return _param(name, about, schema, Parameters.each, field)


def text(name: str, about: str, field: str | None = None) -> Param:
    """A text."""
    return _single(name, about, {"type": "string"}, str, field)


def labels(name: str, about: str, field: str | None = None) -> Param:
    """Pairs of a label and its value."""
    item = {"type": "string", "pattern": "^[^:=]+[:=]"}
    schema = {"type": "array", "items": item}
    return _param(name, about, schema, Parameters.pairs, field)


def boolean(name: str, about: str) -> Param:
    """True or false."""
    return _single(name, about, {"type": "boolean", "default": False}, read_boolean, None)


def number(name: str, about: str, least: int, most: int, default: int | None) -> Param:
    """A whole number; whether it is within ``least`` to ``most`` is for the query to say."""
    schema: dict[str, object] = {"type": "integer", "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default
    return _single(name, about, schema, read_int, None)


def time(name: str, about: str) -> Param:
    """A time of RFC 3339."""
    return _single(name, about, {"type": "string", "format": "date-time"}, read_time, None)


def identifier(name: str, about: str) -> Param:
    """A UUID."""
    return _single(name, about, {"type": "string", "format": "uuid"}, read_id, None)


def cursor(name: str, about: str) -> Param:
    """A place in the journal."""
    schema = {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}:(0|[1-9][0-9]{0,17})$"}
    return _single(name, about, schema, _read_cursor, None)
