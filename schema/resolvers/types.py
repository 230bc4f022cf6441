"""Fields that are not simply an attribute, and the roots of subscriptions."""

from typing import Any, Final

from ariadne import ObjectType, SubscriptionType
from graphql import GraphQLResolveInfo

from incident_manager.actors.model import Alert, Incident, Resolution
from incident_manager.actors.streams import StreamField
from incident_manager.actors.vocabulary import ResolutionMethod
from incident_manager.schema.services import Sources

__all__ = ["OBJECTS", "RELATIONS", "subscription"]

RELATIONS: Final = frozenset({("Alert", "incident")})
"""(type, field) of what is read from the journal at delivery: it makes a shape *deep*."""

incident = ObjectType("Incident")
resolution = ObjectType("Resolution")
alert = ObjectType("Alert")
subscription = SubscriptionType()


@incident.field("assignedTo")
def assigned_to(source: Incident, _info: GraphQLResolveInfo[Sources]) -> str | None:
    """The first assignee."""
    return source.assignees[0] if source.assignees else None


@resolution.field("resolutionMethod")
def resolution_method(source: Resolution, _info: GraphQLResolveInfo[Sources]) -> ResolutionMethod:
    """``resolution`` is in the field's name already, so the model does not say it twice."""
    return source.method


@alert.field("incident")
async def alert_incident(source: Alert, info: GraphQLResolveInfo[Sources]) -> Incident | None:
    """The incident as it is now."""
    if source.incident_id is None:
        return None
    return await info.context.journal.incident(source.incident_id)


def _event(source: Any, _info: GraphQLResolveInfo[Sources], **_arguments: Any) -> Any:
    """The root value of a subscription's execution is what its field gives."""
    return source


for _field in StreamField:
    subscription.set_field(_field.value, _event)

OBJECTS: Final = [incident, resolution, alert]
