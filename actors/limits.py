"""How large what a command brings may be (contract, section 2). Beyond: BAD_USER_INPUT."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from attrs import fields_dict, frozen

from incident_manager.actors.commands import Command
from incident_manager.actors.errors import ErrorCode, Refused

__all__ = ["LIMITS", "Each", "Limit", "Pairs", "Text", "check"]

_KB = 1024


def _refuse(name: str, message: str) -> Refused:
    return Refused(ErrorCode.BAD_USER_INPUT, f"{name} {message}", name)


def _encoded(name: str, value: str) -> bytes:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        raise _refuse(name, "is not valid Unicode text (it has half of a surrogate pair)") from None
    if b"\0" in raw:
        raise _refuse(name, "must not contain a NUL character")
    return raw


@frozen
class Text:
    """A string of ``least`` to ``most`` characters, or with ``kb`` at most so many KB of UTF-8."""

    least: int = 0
    most: int | None = None
    kb: int | None = None

    def __call__(self, name: str, value: object) -> None:
        """Raise Refused with BAD_USER_INPUT, naming what is wrong, if the value is not within."""
        if not isinstance(value, str):
            raise _refuse(name, "must be a string")
        if self._fits(value):  # most do, and there are many
            return
        raw = _encoded(name, value)
        if len(value) < self.least or (self.least and not value.strip()):
            raise _refuse(name, "must not be empty")
        if self.most is not None and len(value) > self.most:
            raise _refuse(name, f"must have at most {self.most} characters, not {len(value)}")
        if self.kb is not None and len(raw) > self.kb * _KB:
            raise _refuse(name, f"must have at most {self.kb} KB, not {len(raw)} bytes")

    def _fits(self, value: str) -> bool:
        """Whether it is plain, and within the limits for sure."""
        size = len(value)
        return (
            value.isascii()
            and "\0" not in value
            and size >= self.least
            and (not self.least or not value[0].isspace())
            and (self.most is None or size <= self.most)
            and (self.kb is None or size <= self.kb * _KB)
        )


@frozen
class Each:
    """A sequence of at most ``most`` items."""

    most: int
    item: Text

    def __call__(self, name: str, value: object) -> None:
        """Raise Refused with BAD_USER_INPUT, naming what is wrong, if the value is not within."""
        items = tuple(value) if isinstance(value, tuple | list) else None
        if items is None:
            raise _refuse(name, "must be a list")
        if len(items) > self.most:
            raise _refuse(name, f"must have at most {self.most} items, not {len(items)}")
        for index, item in enumerate(items):
            self.item(f"{name}[{index}]", item)


@frozen
class Pairs:
    """A map of at most ``most`` strings."""

    most: int
    key: Text
    value: Text

    def __call__(self, name: str, value: object) -> None:
        """Raise Refused with BAD_USER_INPUT, naming what is wrong, if the value is not within."""
        if not isinstance(value, Mapping):
            raise _refuse(name, "must be an object whose values are strings")
        if len(value) > self.most:
            raise _refuse(name, f"must have at most {self.most} entries, not {len(value)}")
        for key, item in value.items():
            self.key(f"{name} key", key)
            self.value(f"{name}.{key}", item)


Limit = Text | Each | Pairs
"""What a value must keep to: a call with its name and the value raises Refused if it does not."""

_TITLE = Text(1, 500)
_NAME = Text(1, 255)
_LONG = Text(kb=64)
_ID = Text(1, 64)  # whether it is one of ours is for the lookup to say
_LABELS = Pairs(64, Text(1, 128), Text(0, 1024))
_PEOPLE = Each(64, _NAME)
_SERVICES = Each(256, _NAME)

LIMITS: Final[Mapping[str, tuple[str, Limit]]] = {
    "id": ("id", _ID),
    "related_id": ("relatedId", _ID),
    "title": ("title", _TITLE),
    "description": ("description", _LONG),
    "source": ("source", _NAME),
    "external_id": ("externalId", _NAME),
    "source_key": ("externalId", Text(1, 600)),
    "labels": ("labels", _LABELS),
    "add_labels": ("addLabels", _LABELS),
    "remove_labels": ("removeLabels", Each(64, Text(1, 128))),
    "metadata": ("metadata", _LABELS),
    "annotations": ("annotations", Pairs(64, Text(1, 128), Text(0, 8192))),
    "affected_services": ("affectedServices", _SERVICES),
    "affected_resources": ("affectedResources", _SERVICES),
    "runbook_url": ("runbookUrl", Text(1, 2048)),
    "assignees": ("assignees", _PEOPLE),
    "content": ("comment", Text(1, kb=64)),
    "notes": ("notes", _LONG),
    "root_cause": ("rootCause", _LONG),
    "reason": ("reason", Text(1, 1024)),
    "scope": ("fields", Each(16, Text(1, 32))),
    "label_patterns": ("labels", Each(64, Text(1, 128))),
}
"""Attribute of a command -> its name in the contract, and its limit."""


@cache
def _limits_of(kind: type) -> tuple[tuple[str, str, Limit], ...]:
    """Attribute, name and limit of what commands of a class bring, in the order of the table."""
    own = fields_dict(kind)
    return tuple((each, name, limit) for each, (name, limit) in LIMITS.items() if each in own)


def check(command: Command) -> None:
    """Raise :class:`Refused` with BAD_USER_INPUT and the field if something is too large."""
    kind: type = type(command)
    for attribute, name, limit in _limits_of(kind):
        value = getattr(command, attribute)
        if value is not None:
            limit(name, value)
