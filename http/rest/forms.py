"""A body that makes a command: a table of its members, and how each is read."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin

from attrs import Factory, evolve, field, fields_dict, frozen

from incident_manager.actors.commands import Command
from incident_manager.actors.model import Micros
from incident_manager.http.rest.fields import Fields

__all__ = ["Form", "Member", "kind_of"]

C = TypeVar("C", bound=Command)


def kind_of(command: type, attribute: str) -> type:
    """The type of a command's attribute, null and what is inside of it aside."""
    hint: Any = fields_dict(command)[attribute].type
    if get_origin(hint) is UnionType:
        [hint] = [each for each in get_args(hint) if each is not NoneType]
    kind: type = get_origin(hint) or hint
    return kind


@frozen
class Member:
    """One member of a body: the attribute that it is, and its type."""

    name: str
    attribute: str
    kind: type
    required: bool

    def is_time(self) -> bool:
        """The only number that a body brings is a time."""
        return self.kind is Micros

    def is_choice(self) -> bool:
        """One of a few names."""
        return issubclass(self.kind, StrEnum)


@frozen
class Form(Generic[C]):
    """The members of a JSON object, and the command that they make.

    ``neutral`` is the command with what stands for members that are not given; it keeps within
    the limits. ``names`` has the members that are called otherwise than their attributes.
    ``besides`` are JSON Schemas of members that the view reads itself. Members that nobody asks
    for do not matter; a member that is null counts as absent.
    """

    name: str
    neutral: C
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    names: Mapping[str, str] = field(factory=dict)
    besides: Mapping[str, Mapping[str, object]] = field(factory=dict)

    members: tuple[Member, ...] = field(
        default=Factory(lambda form: _members(form), takes_self=True), init=False, repr=False
    )
    """Those that become attributes, the required ones first."""
    _choices: tuple[Member, ...] = field(
        default=Factory(lambda form: _some(form, Member.is_choice), takes_self=True),
        init=False,
        repr=False,
    )
    _times: tuple[Member, ...] = field(
        default=Factory(lambda form: _some(form, Member.is_time), takes_self=True),
        init=False,
        repr=False,
    )
    _texts: Mapping[str, str] = field(
        default=Factory(lambda form: _texts(form), takes_self=True), init=False, repr=False
    )

    def fill(self, fields: Fields) -> C:
        """The command of what can be read; what cannot is noted, in the order of the members."""
        before = len(fields.errors)
        values: dict[str, object] = {}
        for member in self._choices:
            kind: Any = member.kind
            values[member.attribute] = fields.choice(member.name, kind, required=member.required)
        for member in self._times:
            values[member.attribute] = fields.time(member.name, required=member.required)
        read = {each: value for each, value in values.items() if value is not None}
        command = fields.limited(self.neutral, self._texts, self.required, read)
        if len(fields.errors) > before:
            place = {member.name: number for number, member in enumerate(self.members)}
            fields.errors[before:] = sorted(
                fields.errors[before:], key=lambda error: place.get(error.member, len(place))
            )
        return command

    def complete(self, command: C, more: Mapping[str, Any]) -> C:
        """A command with what its body does not say."""
        return evolve(command, **more)

    def read(self, given: Mapping[str, Any]) -> C:
        """The command of a body.

        Raises :class:`InvalidFields` with every member that is wrong.
        """
        fields = Fields(given)
        command = self.fill(fields)
        fields.done()
        return command


def _members(form: Form[Any]) -> tuple[Member, ...]:
    pairs = [(name, form.names.get(name, name)) for name in form.required + form.optional]
    return tuple(
        Member(name, attribute, kind_of(type(form.neutral), attribute), name in form.required)
        for name, attribute in pairs
    )


def _some(form: Form[Any], which: Callable[[Member], bool]) -> tuple[Member, ...]:
    return tuple(filter(which, form.members))


def _texts(form: Form[Any]) -> Mapping[str, str]:
    return {
        each.name: each.attribute
        for each in form.members
        if not (each.is_choice() or each.is_time())
    }
