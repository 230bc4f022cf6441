"""A route: one method on one path, who may ask, who answers, and what is told about it."""

from collections.abc import Awaitable, Callable

from attrs import frozen
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.roles import Role
from incident_manager.http.rest.operation import Operation

__all__ = ["Route"]


@frozen
class Route:
    """One method on one path. ``least`` is the role it needs; None: nobody need say who they are.
    ``scope`` says what those get who are confined by selectors.

    ``quick`` says that its view takes what it needs from the ``Exchange`` alone, and has an answer
    in bounded time.

    ``operation`` is what the API's description says of it; None leaves it out there.
    """

    method: str
    path: str
    least: Role | None
    view: Callable[..., Awaitable[TrioResponse]]
    operation: Operation | None = None
    scope: Scope = Scope.OWN
    quick: bool = False

    @property
    def access(self) -> Access:
        """Who may ask."""
        return Access(self.least, self.scope)

    @property
    def endpoint(self) -> str:
        """Its name in Quart. A dot would mean a blueprint."""
        return f"{self.method} {self.path}".replace(".", "_")
