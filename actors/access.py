"""Who may have something: the least role, and what of it who is confined gets."""

from enum import StrEnum

from attrs import frozen

from incident_manager.actors.roles import Role

__all__ = ["Access", "Scope"]


class Scope(StrEnum):
    """What those get who are confined by selectors."""

    OWN = "its own"
    """What bears their labels; all else is as if it were not there."""
    SAME = "the same"
    """What belongs to nobody: all get the same."""
    NONE = "nothing"
    """It is of everybody's together: FORBIDDEN."""


@frozen
class Access:
    """``least`` is the role that is needed; None: nobody need say who they are."""

    least: Role | None
    scope: Scope = Scope.OWN
