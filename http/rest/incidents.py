"""``/v1/incidents``: list them, look at one, solve one."""

import re
from typing import Final

from attrs import evolve
from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.commands import ResolveIncident
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Incident
from incident_manager.actors.registry import Answered
from incident_manager.actors.vocabulary import ResolutionMethod
from incident_manager.http.replies import bare, json_reply
from incident_manager.http.rest.body import read_body
from incident_manager.http.rest.fields import Fields
from incident_manager.http.rest.filters import read_query
from incident_manager.http.rest.idempotency import ask, request_key
from incident_manager.http.rest.preconditions import etag, expected_version, is_held
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.rest.views import connection_view, incident_view
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.pages import connection

__all__ = ["listing", "one", "resolve"]

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_NEUTRAL: Final = ResolveIncident("-", ResolutionMethod.MANUAL, "")


def read_id(text: str) -> str:
    """An incident's id; :class:`InvalidFields` for what is not the text of a UUID."""
    if _UUID.fullmatch(text.lower()):
        return text.lower()
    raise InvalidFields([FieldError("id", "id must be a UUID")])


async def listing() -> TrioResponse:
    """A page of incidents, with the position of the journal at that moment."""
    query, paging = read_query(request.args)
    try:
        with read_in_time():
            page = await session().journal.incidents(query)
    except ValueError as error:
        if query.after is None:
            raise
        raise InvalidFields([FieldError("after", str(error))]) from error
    return json_reply(connection_view(connection(page, paging)))


async def one(incident_id: str) -> TrioResponse:
    """One incident as it is now; 304 to a client that holds it already."""
    wanted = read_id(incident_id)
    with read_in_time():
        incident = await session().journal.incident(wanted)
    if incident is None:
        raise Refused(ErrorCode.NOT_FOUND, f"There is no incident {wanted}.", "id")
    if is_held(incident.version, request.headers.get("If-None-Match")):
        return bare(304, _tagged(incident))
    return json_reply(incident_view(incident), headers=_tagged(incident))


async def resolve(incident_id: str) -> TrioResponse:
    """An incident is solved."""
    wanted = read_id(incident_id)
    version = expected_version(request.headers.get("If-Match"))
    body = await read_body()
    key = request_key(body.raw)
    fields = Fields(body.given)
    method = fields.chosen("method", _NEUTRAL.method)
    command = fields.limited(_NEUTRAL, required=("notes",), optional=("root_cause",))
    fields.done()
    return _changed(
        await ask(
            [evolve(command, id=wanted, method=method, expected_version=version)],
            key,
        )
    )


def _changed(answered: Answered) -> TrioResponse:
    """The answer to a change of one incident."""
    [result] = answered.results
    if isinstance(result, Refused):
        raise result
    assert isinstance(result, Incident)  # noqa: S101 -- such a change is answered with it
    return json_reply(incident_view(result), headers=_tagged(result))


def _tagged(incident: Incident) -> dict[str, str]:
    return {"ETag": etag(incident.version), "Cache-Control": "private, no-cache"}
