"""The query parameters of ``GET /v1/incidents``: which incidents, in what order, which page."""

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final, TypeVar

from attrs import define, field
from werkzeug.datastructures import MultiDict

from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import IncidentQuery, SortField
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from incident_manager.http.rest.fields import read_choice, read_time
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.schema.pages import Paging, incident_query

__all__ = ["KNOWN", "Parameters", "read_query"]

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")

KNOWN: Final = (
    "state",
    "severity",
    "source",
    "type",
    "active_only",
    "assigned_to",
    "label",
    "created_after",
    "created_before",
    "sort",
    "order",
    "page",
    "page_size",
    "first",
    "after",
)
"""The parameters; any other is refused, as a misspelt filter would give away everything."""

_INT: Final = re.compile(r"-?[0-9]{1,10}", re.ASCII)
_MOST_INT: Final = 2**31 - 1
_BOOLEAN: Final = {"true": True, "1": True, "false": False, "0": False}


class _Order(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


def read_query(args: MultiDict[str, str]) -> tuple[IncidentQuery, Paging]:
    """What the parameters ask for. Raises :class:`InvalidFields` with every one that is wrong."""
    given = Parameters(args)
    given.only(KNOWN)
    wanted = {
        "states": given.choices("state", IncidentState),
        "severities": given.choices("severity", Severity),
        "sources": given.each("source"),
        "types": given.choices("type", IncidentType),
        "active_only": given.one("active_only", read_boolean),
        "assigned_to": given.one("assigned_to", str),
        "labels": _labels(given),
        "created_after": given.one("created_after", read_time),
        "created_before": given.one("created_before", read_time),
    }
    sort = {
        "field": given.one("sort", lambda text: read_choice(SortField, text)),
        "order": given.one("order", lambda text: read_choice(_Order, text)),
    }
    paging = _paging(given)
    given.done()
    return incident_query(wanted, paging, {k: v for k, v in sort.items() if v is not None}), paging


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

    def done(self) -> None:
        """Raise :class:`InvalidFields` if anything was wrong."""
        if self.errors:
            raise InvalidFields(self.errors)


def _labels(given: Parameters) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in given.args.getlist("label"):
        if not text:
            continue
        found = re.fullmatch(r"([^:=]+)[:=](.*)", text, re.DOTALL)
        if found is None:
            given.wrong("label", f"is {text[:40]!r}; it must be key:value or key=value")
        elif labels.setdefault(found[1], found[2]) != found[2]:
            given.wrong("label", f"asks for two values of {found[1][:40]!r}; no incident has both")
    return labels


def _paging(given: Parameters) -> Paging:
    values: dict[str, Any] = {
        name: given.one(name, read_int) for name in ("page", "page_size", "first")
    }
    values["after"] = given.one("after", str)
    before = len(given.errors)
    for name, value in values.items():
        _read(given, {name: value})
    return (_read(given, values) if len(given.errors) == before else None) or Paging()


def _read(given: Parameters, values: dict[str, Any]) -> Paging | None:
    try:
        return Paging.read(values)
    except Refused as refusal:
        blamed = FieldError.of(refusal)
        given.errors.append(blamed or FieldError("page", refusal.message))
    return None
