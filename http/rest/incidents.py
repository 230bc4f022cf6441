"""``/v1/incidents``: list them, look at one, open one, edit one."""

from typing import Final

from attrs import evolve
from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.commands import CreateIncident, UpdateIncident
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.vocabulary import IncidentType, Severity
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import shapes
from incident_manager.http.rest.body import read_body
from incident_manager.http.rest.changes import (
    change,
    changed,
    incident_reply,
    read_change,
)
from incident_manager.http.rest.fields import Fields, wanted_id
from incident_manager.http.rest.filters import INCIDENTS, judged, read_query
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.idempotency import request_key
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.rest.views import connection_view
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.pages import connection

__all__ = [
    "CREATE",
    "LISTING",
    "ONE",
    "REPLACE",
    "UPDATE",
    "create",
    "listing",
    "no_incident",
    "one",
    "replace",
    "update",
]

_EDITED: Final = (
    "title",
    "description",
    "severity",
    "state",
    "incident_type",
    "assignees",
    "metadata",
)
_CREATED: Final = Form(
    "CreateIncident",
    CreateIncident("-", "-", "-", Severity.P4, IncidentType.UNKNOWN),
    required=("source", "title", "description", "severity", "incident_type"),
    optional=("affected_resources", "labels", "metadata", "assignees"),
)
_UPDATED: Final = Form(
    "UpdateIncident", UpdateIncident("-"), optional=(*_EDITED, "add_labels", "remove_labels")
)
_REPLACED: Final = Form("ReplaceIncident", UpdateIncident("-"), required=(*_EDITED, "labels"))

LISTING: Final = Operation((shapes.Incidents,), parameters=INCIDENTS)
ONE: Final = Operation((shapes.Incident,), tagged=True)
CREATE: Final = Operation(
    (shapes.Incident,), status=201, bodies=(_CREATED,), tagged=True, located=True
)
UPDATE: Final = Operation(
    (shapes.Incident,), bodies=(_UPDATED,), tagged=True, matched=True, conflicts=True
)
REPLACE: Final = evolve(UPDATE, bodies=(_REPLACED,))


async def listing() -> TrioResponse:
    """A page of incidents, with the position of the journal at that moment."""
    query, paging = read_query(request.args)
    with read_in_time(), judged():
        page = await session().journal.incidents(query)
    return json_reply(connection_view(connection(page, paging)))


async def one(incident_id: str) -> TrioResponse:
    """One incident as it is now. Its ETag is for If-Match: an alert that joins leaves it."""
    wanted = wanted_id(incident_id)
    with read_in_time():
        incident = await session().journal.incident(wanted)
    if incident is None:
        raise no_incident(wanted)
    return incident_reply(incident)


def no_incident(wanted: str) -> Refused:
    """There is none of that id."""
    return Refused(ErrorCode.NOT_FOUND, f"There is no incident {wanted}.", "id")


async def create() -> TrioResponse:
    """Open an incident by hand."""
    body = await read_body()
    fields = Fields(body.given)
    key = fields.attempt(lambda: request_key(body.raw))
    command = _CREATED.fill(fields)
    fields.done()
    incident = await changed(command, key)
    return incident_reply(incident, 201, {"Location": f"/v1/incidents/{incident.id}"})


async def update(incident_id: str) -> TrioResponse:
    """Change the fields that are given; null leaves one as it is."""
    command, key = await read_change(UPDATE, _UPDATED, incident_id)
    if command == UpdateIncident(command.id, expected_version=command.expected_version):
        names = ", ".join(_UPDATED.optional)
        raise InvalidFields([FieldError("", f"the body names nothing to change: {names} can be")])
    return incident_reply(await changed(command, key))


async def replace(incident_id: str) -> TrioResponse:
    """Change all fields that can be edited, labels too; what is not one of them does not matter.

    So what `GET` answered can be sent back with changes.
    """
    return await change(REPLACE, _REPLACED, incident_id)
