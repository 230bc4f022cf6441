"""Reading the members of a JSON object, so that every bad one is named, not only the first."""

import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from attrs import define, field, fields_dict
from graphql import GraphQLError

from incident_manager.actors.commands import Command
from incident_manager.actors.errors import Refused
from incident_manager.actors.limits import check
from incident_manager.actors.model import Micros
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.schema.scalars import parse_datetime

__all__ = ["Fields", "changed", "read_choice", "read_id", "read_time", "wanted_id"]

E = TypeVar("E", bound=StrEnum)
C = TypeVar("C", bound=Command)
T = TypeVar("T")

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_REQUIRED: Final = "is required"
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def read_id(text: str) -> str:
    """A UUID in lower case; ValueError says that it must be one."""
    if _UUID.fullmatch(text.lower()):
        return text.lower()
    raise ValueError("must be a UUID")


def wanted_id(text: str) -> str:
    """The id in a path; :class:`InvalidFields` for what is not the text of a UUID."""
    try:
        return read_id(text)
    except ValueError as error:
        raise InvalidFields([FieldError("id", f"id {error}")]) from None


def read_choice(kind: type[E], value: object) -> E:
    """The member that ``value`` names, in any case; ValueError says what it must be."""
    if isinstance(value, str) and value.upper() in kind.__members__:
        return kind[value.upper()]
    raise ValueError(f"must be one of {', '.join(kind.__members__)}")


def read_time(value: object) -> Micros:
    """A time of RFC 3339; ValueError says what it must be."""
    try:
        return parse_datetime(value)
    except GraphQLError as error:
        raise ValueError(error.message.removeprefix("DateTime ").removesuffix(".")) from None


@define
class Fields:
    """The members of an object, and what is wrong with those that were read.

    A member that is null counts as absent; members that nobody asks for do not matter.
    """

    given: Mapping[str, Any]
    errors: list[FieldError] = field(factory=list)

    def wrong(self, name: str, what: str) -> None:
        """Note what is wrong with a field."""
        self.errors.append(FieldError(name, f"{name} {what}"))

    def refused(self, refusal: Refused) -> None:
        """Note a refusal that names a field."""
        blamed = FieldError.of(refusal)
        self.errors.append(blamed or FieldError("", refusal.message.removesuffix(".")))

    def attempt(self, read: Callable[[], T]) -> T | None:
        """What ``read`` gives; None where it raises :class:`InvalidFields`, which is noted."""
        try:
            return read()
        except InvalidFields as refusal:
            self.errors += refusal.errors
        return None

    def choice(self, name: str, kind: type[E], *, required: bool = False) -> E | None:
        """The field as a member of an enumeration; None where it is absent or wrong."""
        value = self._value(name, required=required)
        if value is None:
            return None
        try:
            return read_choice(kind, value)
        except ValueError as error:
            self.wrong(name, str(error))
        return None

    def time(self, name: str, *, required: bool = False) -> Micros | None:
        """The field as a time; None where it is absent or wrong."""
        value = self._value(name, required=required)
        if value is None:
            return None
        try:
            return read_time(value)
        except ValueError as error:
            self.wrong(name, str(error))
        return None

    def limited(
        self,
        neutral: C,
        members: Mapping[str, str],
        required: Collection[str],
        read: Mapping[str, Any] = _NOTHING,
    ) -> C:
        """``neutral`` with the named members (and the attributes they are) as they were given, and
        what was ``read`` already.

        Type and size of each are those of ``actors.limits``. ``neutral`` must keep within
        them, so that whatever is wrong is due to one of these members.
        """
        given = {
            attribute: self._value(name, required=name in required)
            for name, attribute in members.items()
        }
        values: dict[str, Any] = {
            attribute: tuple(value) if isinstance(value, list) else value
            for attribute, value in given.items()
            if value is not None
        }
        command = changed(neutral, {**values, **read})
        if not _fits(command):
            for attribute, value in values.items():
                try:
                    check(changed(neutral, {attribute: value}))
                except Refused as refusal:
                    self.refused(refusal)
        return command

    def done(self) -> None:
        """Raise :class:`InvalidFields` if anything was wrong."""
        if self.errors:
            raise InvalidFields(self.errors)

    def _value(self, name: str, *, required: bool = False) -> Any:
        value = self.given.get(name)
        if value is None and required:
            self.wrong(name, _REQUIRED)
        return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(fields_dict(kind))


def changed(command: C, values: Mapping[str, Any]) -> C:
    """A command with other values, as ``attrs.evolve`` makes it: alerts come by the hundred."""
    kind: type[C] = type(command)
    names = _names(cast(type, kind))
    return kind(
        **{name: values[name] if name in values else getattr(command, name) for name in names}
    )


def _fits(command: Command) -> bool:
    try:
        check(command)
    except Refused:
        return False
    return True
