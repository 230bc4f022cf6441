"""``GET /v1/events``: the journal itself, paged by cursor."""

from typing import Final

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import Bounds
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import parameters as p
from incident_manager.http.rest import shapes
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.parameters import Parameters
from incident_manager.http.rest.problems import FieldError, Gone, InvalidFields
from incident_manager.http.rest.views import events_view
from incident_manager.http.serving import read_in_time, session

__all__ = ["LISTING", "check_place", "listing"]

_MOST: Final = 100
_PARAMETERS: Final = (
    p.cursor("after", "Where to go on; without it, from the oldest event kept."),
    p.number("limit", "How many.", 1, _MOST, _MOST),
)

LISTING: Final = Operation((shapes.Events,), parameters=_PARAMETERS, errors=(410,))


async def listing() -> TrioResponse:
    """Events behind a cursor, in the order of the journal: what a subscription would have sent.

    `next` is always there: asked with it again and again, a client misses nothing. 410 says that
    events between the cursor and now are not kept any more, or that the journal is another one;
    `oldest` is where one can go on.
    """
    given = Parameters(request.args)
    values = given.read(_PARAMETERS)
    limit = _MOST if values["limit"] is None else values["limit"]
    if not 1 <= limit <= _MOST:
        given.wrong("limit", f"is {limit}; it must be 1 to {_MOST}")
    given.done()
    after: Cursor | None = values["after"]
    journal = session().journal
    with read_in_time():
        if after is not None:
            after = (await journal.bounds()).open(after)
        chunk = await journal.read_after(0 if after is None else after.offset, limit)
    if after is not None:
        check_place(after, chunk.bounds)
    return json_reply(events_view(chunk))


def check_place(after: Cursor, bounds: Bounds) -> None:
    """Raise :class:`Gone` for a place of another journal, or before what is kept.

    Raises :class:`InvalidFields` for one ahead of the head: this journal never gave it.
    """
    oldest = bounds.place(bounds.oldest - 1)
    if after.epoch != bounds.epoch:
        raise Gone("after is a cursor of another journal.", "after", str(oldest))
    if after.offset < bounds.oldest - 1:
        raise Gone("after is older than the events that are kept.", "after", str(oldest))
    if after.offset > bounds.head:
        raise InvalidFields([FieldError("after", f"after is ahead of {bounds.cursor}")])
