"""``/v1/incidents/{id}/comments``: what was said about an incident."""

from typing import Final

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.commands import AddComment
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import shapes
from incident_manager.http.rest.changes import changed, incident_reply, read_change
from incident_manager.http.rest.fields import wanted_id
from incident_manager.http.rest.filters import judged, part_params, read_part
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.incidents import no_incident
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.views import comments_view
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.relations import comment_connection

__all__ = ["ADD", "LISTING", "add", "listing"]

_FIRST: Final = 20
_SAID: Final = Form(
    "AddComment", AddComment("-", "-"), required=("comment",), names={"comment": "content"}
)

LISTING: Final = Operation((shapes.Comments,), parameters=part_params(_FIRST))
ADD: Final = Operation((shapes.Incident,), status=201, bodies=(_SAID,), tagged=True, located=True)


async def listing(incident_id: str) -> TrioResponse:
    """The comments on an incident, the oldest first."""
    wanted = wanted_id(incident_id)
    part = read_part(request.args, _FIRST)
    journal = session().journal
    with read_in_time(), judged():
        page = (await journal.comments_of([wanted], part.first, part.after))[wanted]
        if not page.total and await journal.incident(wanted) is None:
            raise no_incident(wanted)
    return json_reply(comments_view(comment_connection(page)))


async def add(incident_id: str) -> TrioResponse:
    """Say something about an incident, in any state; the answer is the incident after it."""
    command, key = await read_change(ADD, _SAID, incident_id)
    incident = await changed(command, key)
    return incident_reply(incident, 201, {"Location": f"/v1/incidents/{incident.id}/comments"})
