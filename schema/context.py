"""What the resolvers of one execution work with."""

from typing import Generic, TypeVar

from attrs import frozen

from incident_manager.schema.loaders import Loaders
from incident_manager.schema.services import Sources
from incident_manager.schema.tally import REQUEST, Most

__all__ = ["Context", "new_context"]

S = TypeVar("S", bound=Sources)
S_co = TypeVar("S_co", bound=Sources, covariant=True)


@frozen
class Context(Generic[S_co]):
    """The caller's services, and loaders that are this execution's own."""

    services: S_co
    loaders: Loaders


def new_context(services: S, most: Most = REQUEST) -> Context[S]:
    """The context of one execution, which may take so much."""
    return Context(services, Loaders(services, most))
