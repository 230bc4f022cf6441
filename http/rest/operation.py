"""What the API's description says of a route beyond its method, path, role and docstring."""

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.parameters import Param

__all__ = ["Many", "Operation", "Other"]


@frozen
class Many:
    """A body whose one member is a list of 1 to ``most`` objects."""

    name: str
    member: str
    item: Form[Any]
    most: int


@frozen
class Other:
    """A body that follows somebody else's specification."""

    name: str
    schema: Mapping[str, object]


@frozen
class Operation:
    """One route, as its tables and types have it.

    ``answers`` are the types of ``shapes`` of which it gives one, with ``status``; ``also`` has
    those of other statuses that are no problems. ``bodies`` are those it takes.
    """

    answers: tuple[Any, ...]
    status: int = 200
    also: Mapping[int, Any] = field(factory=dict)
    parameters: tuple[Param, ...] = ()
    bodies: tuple[Form[Any] | Many | Other, ...] = ()
    body_required: bool = True
    tagged: bool = False
    """Its answer has an ETag."""
    conditional: bool = False
    """It takes If-None-Match, with 304: its ETag is another one with every change."""
    matched: bool = False
    """It takes If-Match, with 412."""
    located: bool = False
    """Its answer has a Location."""
    conflicts: bool = False
    """It may not fit what is there, with 409."""
    errors: tuple[int, ...] = ()
    """Further statuses that are problems."""
