"""``POST /v1/incidents/{id}/...``: the steps in the life of an incident."""

from typing import Any, Final

from quart_trio.wrappers import TrioResponse

from incident_manager.actors.commands import (
    AcknowledgeIncident,
    AssignIncident,
    CloseIncident,
    EscalateIncident,
    LinkIncidents,
    ReopenIncident,
    ResolveIncident,
)
from incident_manager.actors.vocabulary import ResolutionMethod, Severity
from incident_manager.http.rest import shapes
from incident_manager.http.rest.changes import change
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.operation import Operation

__all__ = ["STEPS"]

_ACKNOWLEDGED: Final = Form("AcknowledgeIncident", AcknowledgeIncident("-"))
_ASSIGNED: Final = Form("AssignIncident", AssignIncident("-", ()), required=("assignees",))
_ESCALATED: Final = Form(
    "EscalateIncident",
    EscalateIncident("-", Severity.P0, "-"),
    required=("new_severity", "reason"),
    names={"new_severity": "severity"},
)
_RESOLVED: Final = Form(
    "ResolveIncident",
    ResolveIncident("-", ResolutionMethod.MANUAL, ""),
    required=("method", "notes"),
    optional=("root_cause",),
)
_CLOSED: Final = Form("CloseIncident", CloseIncident("-"))
_REOPENED: Final = Form("ReopenIncident", ReopenIncident("-"), optional=("reason",))
_LINKED: Final = Form("LinkIncidents", LinkIncidents("-", "-"), required=("related_id",))


def _step(form: Form[Any], *, matched: bool = True) -> Operation:
    return Operation(
        (shapes.Incident,),
        bodies=(form,),
        body_required=bool(form.required),
        tagged=True,
        matched=matched,
        conflicts=True,
    )


_ACKNOWLEDGE: Final = _step(_ACKNOWLEDGED)
_ASSIGN: Final = _step(_ASSIGNED)
_ESCALATE: Final = _step(_ESCALATED)
_RESOLVE: Final = _step(_RESOLVED)
_CLOSE: Final = _step(_CLOSED)
_REOPEN: Final = _step(_REOPENED)
_LINK: Final = _step(_LINKED, matched=False)


async def acknowledge(incident_id: str) -> TrioResponse:
    """Say that somebody has seen it; NEW becomes INVESTIGATING."""
    return await change(_ACKNOWLEDGE, _ACKNOWLEDGED, incident_id)


async def assign(incident_id: str) -> TrioResponse:
    """Say who works on it; an empty list takes everybody off."""
    return await change(_ASSIGN, _ASSIGNED, incident_id)


async def escalate(incident_id: str) -> TrioResponse:
    """Make it more severe; never less."""
    return await change(_ESCALATE, _ESCALATED, incident_id)


async def resolve(incident_id: str) -> TrioResponse:
    """Say that it is solved, and how."""
    return await change(_RESOLVE, _RESOLVED, incident_id)


async def close(incident_id: str) -> TrioResponse:
    """Say that nothing is left to do about a resolved incident."""
    return await change(_CLOSE, _CLOSED, incident_id)


async def reopen(incident_id: str) -> TrioResponse:
    """Say that it was not solved after all; it becomes INVESTIGATING."""
    return await change(_REOPEN, _REOPENED, incident_id)


async def link(incident_id: str) -> TrioResponse:
    """Relate it to another incident, on both sides."""
    return await change(_LINK, _LINKED, incident_id)


STEPS: Final = (
    ("acknowledge", acknowledge, _ACKNOWLEDGE),
    ("assign", assign, _ASSIGN),
    ("escalate", escalate, _ESCALATE),
    ("resolve", resolve, _RESOLVE),
    ("close", close, _CLOSE),
    ("reopen", reopen, _REOPEN),
    ("link", link, _LINK),
)
"""The end of each path, its view, and what is told about it."""
