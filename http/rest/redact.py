"""``POST /v1/incidents/{id}/redact``: an administrator takes away what an incident says."""

from typing import Final

from quart_trio.wrappers import TrioResponse

from incident_manager.actors.commands import RedactIncident
from incident_manager.http.rest import shapes
from incident_manager.http.rest.changes import change
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.operation import Operation

__all__ = ["REDACT", "redact"]

_REDACTED: Final = Form(
    "RedactIncident",
    RedactIncident("-", "-"),
    required=("reason",),
    optional=("fields", "labels"),
    names={"fields": "scope", "labels": "label_patterns"},
)
REDACT: Final = Operation((shapes.Incident,), bodies=(_REDACTED,), tagged=True, matched=True)


async def redact(incident_id: str) -> TrioResponse:
    """Take what an incident says out of everything that is stored: this cannot be undone.

    `fields` are those that go, by default all: TITLE, DESCRIPTION, METADATA, RESOURCES,
    RESOLUTION, COMMENTS, ALERTS. `labels` are globs of the names of labels whose values go too.
    Events keep their offsets and are replayed without it; that it was done, by whom and for what
    `reason`, is an event itself and in the audit.
    """
    return await change(REDACT, _REDACTED, incident_id)
