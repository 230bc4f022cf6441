"""Reading the members of a JSON object, so that every bad one is named, not only the first."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from attrs import define, evolve, field
from graphql import GraphQLError

from incident_manager.actors.commands import Command
from incident_manager.actors.errors import Refused
from incident_manager.actors.limits import check
from incident_manager.actors.model import Micros
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.schema.scalars import parse_datetime

__all__ = ["Fields", "read_choice", "read_time"]

E = TypeVar("E", bound=StrEnum)
C = TypeVar("C", bound=Command)

_REQUIRED: Final = "is required"


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

    def chosen(self, name: str, neutral: E) -> E:
        """The field, which is required, as a member; ``neutral`` where it is absent or wrong."""
        if self._value(name, required=True) is None:
            return neutral
        return self.choice(name, type(neutral)) or neutral

    def choice(self, name: str, kind: type[E]) -> E | None:
        """The field as a member of an enumeration; None where it is absent or wrong."""
        value = self._value(name)
        if value is None:
            return None
        try:
            return read_choice(kind, value)
        except ValueError as error:
            self.wrong(name, str(error))
        return None

    def time(self, name: str) -> Micros | None:
        """The field as a time; None where it is absent or wrong."""
        value = self._value(name)
        if value is None:
            return None
        try:
            return read_time(value)
        except ValueError as error:
            self.wrong(name, str(error))
        return None

    def limited(
        self, neutral: C, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
    ) -> C:
        """``neutral`` with the named fields as they were given.

        Type and size of each are those of ``actors.limits``. ``neutral`` must keep within
        them, so that whatever is wrong is due to one of these fields.
        """
        values = {name: self._value(name, required=True) for name in required}
        values |= {name: self._value(name) for name in optional}
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if value is not None
        }
        command = evolve(neutral, **values)
        if not _fits(command):
            for name, value in values.items():
                try:
                    check(evolve(neutral, **{name: value}))
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


def _fits(command: Command) -> bool:
    try:
        check(command)
    except Refused:
        return False
    return True
