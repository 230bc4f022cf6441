"""The fields of Mutation: each is one command."""

from collections.abc import Mapping
from typing import Any, Final

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from incident_manager.actors import commands as c
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused
from incident_manager.actors.vocabulary import Severity
from incident_manager.schema.context import Context
from incident_manager.schema.inputs import read_alert, read_incident, read_resolution, read_update
from incident_manager.schema.services import Services

__all__ = ["mutation"]

_Info = GraphQLResolveInfo[Context[Services]]

mutation: Final = MutationType()


async def _ask(info: _Info, command: c.Command) -> Outcome:
    [answer] = await info.context.services.ask([command])
    if isinstance(answer, Refused):
        raise answer
    return answer


@mutation.field("submitAlert")
async def submit_alert(
    _source: object,
    info: _Info,
    *,
    input: Mapping[str, Any],  # noqa: A002
) -> Outcome:
    """An alert comes in."""
    return await _ask(info, read_alert(input))


@mutation.field("createIncident")
async def create_incident(
    _source: object,
    info: _Info,
    *,
    input: Mapping[str, Any],  # noqa: A002
) -> Outcome:
    """Somebody opens an incident."""
    return await _ask(info, read_incident(input))


@mutation.field("updateIncident")
async def update_incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
    input: Mapping[str, Any],  # noqa: A002
    expected_version: int | None = None,
) -> Outcome:
    """Fields of an incident change."""
    return await _ask(info, read_update(id, input, expected_version))


@mutation.field("acknowledgeIncident")
async def acknowledge_incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
    expected_version: int | None = None,
) -> Outcome:
    """Somebody has seen it."""
    return await _ask(info, c.AcknowledgeIncident(id, expected_version))


@mutation.field("assignIncident")
async def assign_incident(
    _source: object,
    info: _Info,
    *,
    incident_id: str,
    assignees: list[str],
    expected_version: int | None = None,
) -> Outcome:
    """Somebody works on it."""
    return await _ask(info, c.AssignIncident(incident_id, tuple(assignees), expected_version))


@mutation.field("addComment")
async def add_comment(_source: object, info: _Info, *, incident_id: str, comment: str) -> Outcome:
    """Somebody says something."""
    return await _ask(info, c.AddComment(incident_id, comment))


@mutation.field("escalateIncident")
async def escalate_incident(
    _source: object,
    info: _Info,
    *,
    incident_id: str,
    new_severity: Severity,
    reason: str,
    expected_version: int | None = None,
) -> Outcome:
    """It is worse than it was thought to be."""
    command = c.EscalateIncident(incident_id, new_severity, reason, expected_version)
    return await _ask(info, command)


@mutation.field("linkIncidents")
async def link_incidents(
    _source: object, info: _Info, *, incident_id: str, related_id: str
) -> Outcome:
    """Two incidents have to do with each other."""
    return await _ask(info, c.LinkIncidents(incident_id, related_id))


@mutation.field("resolveIncident")
async def resolve_incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
    input: Mapping[str, Any],  # noqa: A002
    expected_version: int | None = None,
) -> Outcome:
    """It is solved."""
    return await _ask(info, read_resolution(id, input, expected_version))


@mutation.field("closeIncident")
async def close_incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
    expected_version: int | None = None,
) -> Outcome:
    """Nothing is left to do about it."""
    return await _ask(info, c.CloseIncident(id, expected_version))


@mutation.field("reopenIncident")
async def reopen_incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
    reason: str | None = None,
    expected_version: int | None = None,
) -> Outcome:
    """It was not solved after all."""
    return await _ask(info, c.ReopenIncident(id, reason, expected_version))
