"""The fields of Mutation."""

from collections.abc import Mapping
from typing import Any, Final

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from incident_manager.actors.classify import classify, source_key
from incident_manager.actors.commands import Command, ResolveIncident, SubmitAlert
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused
from incident_manager.schema.services import Services

__all__ = ["mutation", "read_alert"]

mutation: Final = MutationType()


async def _ask(info: GraphQLResolveInfo[Services], command: Command) -> Outcome:
    [answer] = await info.context.ask([command])
    if isinstance(answer, Refused):
        raise answer
    return answer


def read_alert(given: Mapping[str, Any]) -> SubmitAlert:
    """The command that a SubmitAlertInput means. Raises Refused for an unknown ``alertType``."""
    alert_type, incident_type = classify(given.get("alert_type"), given.get("incident_type"))
    external_id = given.get("external_id")
    return SubmitAlert(
        source=given["source"],
        title=given["title"],
        description=given["description"],
        severity=given["severity"],
        alert_type=alert_type,
        incident_type=incident_type,
        external_id=external_id,
        labels=given.get("labels") or {},
        affected_services=tuple(given.get("affected_services") or ()),
        annotations=given.get("annotations") or {},
        runbook_url=given.get("runbook_url"),
        timestamp=given.get("timestamp"),
        source_key=source_key(given["source"], external_id),
    )


@mutation.field("submitAlert")
async def submit_alert(
    _source: object,
    info: GraphQLResolveInfo[Services],
    *,
    input: Mapping[str, Any],  # noqa: A002
) -> Outcome:
    """An alert comes in."""
    return await _ask(info, read_alert(input))


@mutation.field("resolveIncident")
async def resolve_incident(
    _source: object,
    info: GraphQLResolveInfo[Services],
    *,
    id: str,  # noqa: A002
    input: Mapping[str, Any],  # noqa: A002
    expected_version: int | None = None,
) -> Outcome:
    """An incident is solved."""
    command = ResolveIncident(
        id=id,
        method=input["method"],
        notes=input["notes"],
        root_cause=input.get("root_cause"),
        expected_version=expected_version,
    )
    return await _ask(info, command)
