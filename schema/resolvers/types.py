"""Fields that are not simply an attribute, and the roots of subscriptions."""

from typing import Any, Final

from ariadne import ObjectType, SubscriptionType
from graphql import GraphQLResolveInfo

from incident_manager.actors.model import Alert, Incident, Resolution
from incident_manager.actors.streams import StreamField
from incident_manager.actors.vocabulary import ResolutionMethod
from incident_manager.schema.context import Context
from incident_manager.schema.relations import CommentConnection, Part, TimelineConnection
from incident_manager.schema.services import Sources

__all__ = ["OBJECTS", "RELATIONS", "subscription"]

RELATIONS: Final = frozenset(
    {
        ("Alert", "incident"),
        ("Incident", "relatedIncidents"),
        ("Incident", "alerts"),
        ("Incident", "comments"),
        ("Incident", "timeline"),
    }
)
"""(type, field) of what is read from the journal at delivery: it makes a shape *deep*."""

_Info = GraphQLResolveInfo[Context[Sources]]

incident = ObjectType("Incident")
resolution = ObjectType("Resolution")
alert = ObjectType("Alert")
severity_stats = ObjectType("SeverityStats")
subscription = SubscriptionType()


@incident.field("assignedTo")
def assigned_to(source: Incident, _info: _Info) -> str | None:
    """The first assignee."""
    return source.assignees[0] if source.assignees else None


@resolution.field("resolutionMethod")
def resolution_method(source: Resolution, _info: _Info) -> ResolutionMethod:
    """``resolution`` is in the field's name already, so the model does not say it twice."""
    return source.method


@alert.field("incident")
async def alert_incident(source: Alert, info: _Info) -> Incident | None:
    """The incident as it is now."""
    if source.incident_id is None:
        return None
    return await info.context.loaders.incident(source.incident_id)


@incident.field("relatedIncidents")
async def related_incidents(
    source: Incident, info: _Info, *, first: int | None = None
) -> tuple[Incident, ...]:
    """The incidents linked to it as they are now."""
    return await info.context.loaders.related(source.id, Part.read(first))


@incident.field("alerts")
async def alerts(source: Incident, info: _Info, *, first: int | None = None) -> tuple[Alert, ...]:
    """The newest of its alerts."""
    return await info.context.loaders.alerts(source.id, Part.read(first))


@incident.field("comments")
async def comments(
    source: Incident, info: _Info, *, first: int | None = None, after: str | None = None
) -> CommentConnection | None:
    """What was said about it."""
    return await info.context.loaders.comments(source.id, Part.read(first, after))


@incident.field("timeline")
async def timeline(
    source: Incident, info: _Info, *, first: int | None = None, after: str | None = None
) -> TimelineConnection | None:
    """Its history."""
    part = Part.read(first, after, otherwise=50)
    return await info.context.loaders.timeline(source.id, part)


def _event(source: Any, _info: _Info, **_arguments: Any) -> Any:
    """The root value of a subscription's execution is what its field gives."""
    return source


for _stream in StreamField:
    subscription.set_field(_stream.value, _event)

for _field in ("p0", "p1", "p2", "p3", "p4"):  # snake case would put a line before the number
    severity_stats.set_alias(_field, _field)

OBJECTS: Final = [incident, resolution, alert, severity_stats]
