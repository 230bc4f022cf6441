"""``GET /v1/incidents/{id}/timeline``: the history of an incident."""

from typing import Final

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.http.replies import json_reply
from incident_manager.http.rest import shapes
from incident_manager.http.rest.fields import wanted_id
from incident_manager.http.rest.filters import judged, part_params, read_part
from incident_manager.http.rest.incidents import no_incident
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.views import timeline_view
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.relations import timeline_connection

__all__ = ["LISTING", "listing"]

_FIRST: Final = 50

LISTING: Final = Operation((shapes.Timeline,), parameters=part_params(_FIRST))


async def listing(incident_id: str) -> TrioResponse:
    """What has happened to an incident, the oldest first."""
    wanted = wanted_id(incident_id)
    part = read_part(request.args, _FIRST)
    journal = session().journal
    with read_in_time(), judged():
        page = (await journal.timeline_of([wanted], part.first, part.after))[wanted]
        bounds = await journal.bounds()
    if not page.total:  # every incident has a line, that of its beginning
        raise no_incident(wanted)
    return json_reply(timeline_view(timeline_connection(page, bounds)))
