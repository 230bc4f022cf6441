"""Personal data that is not let in: labels and annotations dropped or masked by their names.

It is done to every command, by whichever door it came (REST, GraphQL, webhooks), after
severity, title and source key were read from what was sent: so what joins what does not depend on
what is dropped. A principal's own selectors are put on later, and always stay.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from attrs import evolve, frozen

from incident_manager.actors.commands import (
    Command,
    CreateIncident,
    SubmitAlert,
    UpdateIncident,
)

__all__ = ["MASKED", "Privacy"]

MASKED: Final = "[masked]"
"""What stands where a value was."""

_MAPS: Final[Mapping[type, tuple[str, ...]]] = {
    SubmitAlert: ("labels", "annotations"),
    CreateIncident: ("labels", "metadata"),
    UpdateIncident: ("labels", "add_labels", "metadata"),
}
"""The attributes of commands that are maps of names to values that somebody sent."""


@frozen
class Privacy:
    """Which names are dropped with their values, and which keep :data:`MASKED` for one.

    Both are globs (``*``, ``?``, ``[seq]``) of whole names, in their case; dropping goes first.
    """

    drop: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.drop or self.mask)

    def apply(self, command: Command) -> Command:
        """The command as it may be kept.

        Where the description holds the text of an annotation that goes (Alertmanager's is made of
        them), that goes there, too.
        """
        names = _MAPS.get(type(command), ())
        if not self or not names:
            return command
        changes: dict[str, Any] = {}
        for name in names:
            given: Mapping[str, str] | None = getattr(command, name)
            if given:
                changes[name] = self._kept(given)
        if isinstance(command, SubmitAlert):
            changes["description"] = self._described(command)
        return evolve(command, **changes)

    def _kept(self, given: Mapping[str, str]) -> Mapping[str, str]:
        return {
            name: MASKED if _matches(name, self.mask) else value
            for name, value in given.items()
            if not _matches(name, self.drop)
        }

    def _described(self, command: SubmitAlert) -> str:
        text = command.description
        gone = (
            value
            for name, value in command.annotations.items()
            if value.strip() and _matches(name, (*self.drop, *self.mask))
        )
        for value in sorted(gone, key=len, reverse=True):
            text = text.replace(value, MASKED)
        return text


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
