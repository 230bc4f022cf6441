"""``/v1/alerts``: take in one alert, or many; list them, look at one."""

from collections.abc import Mapping
from typing import Any, Final

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.answers import IdempotencyKey
from incident_manager.actors.classify import classify, source_key
from incident_manager.actors.commands import SubmitAlert
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Ack
from incident_manager.actors.vocabulary import AlertType, IncidentType, Severity
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import shapes
from incident_manager.http.rest.batch import AT_ONCE, take_in
from incident_manager.http.rest.body import read_body
from incident_manager.http.rest.conditional import conditional
from incident_manager.http.rest.fields import Fields, changed, wanted_id
from incident_manager.http.rest.filters import ALERTS, judged, read_alert_query
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.idempotency import ask, request_key
from incident_manager.http.rest.operation import Many, Operation
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.rest.views import ack_view, alert_view, alerts_view
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.pages import alert_connection

__all__ = ["LISTING", "MOST", "ONE", "SUBMIT", "listing", "one", "read_alert", "submit"]

MOST: Final = AT_ONCE
"""How many alerts one request may bring."""

_NEUTRAL: Final = SubmitAlert(source="-", title="-", description="-", severity=Severity.P4)
_KINDS: Final = (*AlertType.__members__, *IncidentType.__members__)
_ABOUT: Final = "In any case. An incident type is one of an EVENT."
_FORM: Final = Form(
    "SubmitAlert",
    _NEUTRAL,
    required=("source", "title", "description", "severity"),
    optional=(
        "external_id",
        "labels",
        "affected_services",
        "annotations",
        "runbook_url",
        "incident_type",
        "timestamp",
    ),
    besides={
        "alert_type": {"type": ["string", "null"], "enum": [*_KINDS, None], "description": _ABOUT}
    },
)

SUBMIT: Final = Operation(
    (shapes.Ack, shapes.Acks),
    status=202,
    bodies=(_FORM, Many("SubmitAlerts", "alerts", _FORM, MOST)),
)
LISTING: Final = Operation((shapes.Alerts,), parameters=ALERTS)
ONE: Final = Operation((shapes.Alert,), tagged=True, conditional=True)


def read_alert(given: object) -> SubmitAlert:
    """The alert that a JSON value says. Members that are not known do not matter: senders add.

    Raises :class:`InvalidFields` with every field that is wrong.
    """
    if not isinstance(given, Mapping):
        raise InvalidFields([FieldError("", "an alert must be an object")])
    fields = Fields(given)
    command = _FORM.fill(fields)
    given_type = None if given.get("incident_type") is None else command.incident_type
    kinds = _kinds(fields, given.get("alert_type"), given_type)
    fields.done()
    return changed(
        command,
        {
            "alert_type": kinds[0],
            "incident_type": kinds[1],
            "source_key": source_key(command.source, command.external_id),
        },
    )


def _kinds(fields: Fields, alert_type: Any, incident_type: IncidentType | None) -> tuple[Any, Any]:
    if alert_type is not None and not isinstance(alert_type, str):
        fields.wrong("alert_type", "must be a string")
        return _NEUTRAL.alert_type, _NEUTRAL.incident_type
    try:
        return classify(alert_type, incident_type)
    except Refused as refusal:
        fields.refused(refusal)
        return _NEUTRAL.alert_type, _NEUTRAL.incident_type


async def submit() -> TrioResponse:
    """Take in an alert, or a batch of them; 202 with the acks."""
    body = await read_body()
    key = request_key(body.raw)
    if body.given.get("alerts") is not None:
        return json_reply({"acks": await _batch(body.given["alerts"], key)}, 202)
    answered = await ask([read_alert(body.given)], key)
    [result] = answered.results
    if isinstance(result, Refused):
        raise result
    assert isinstance(result, Ack)  # noqa: S101 -- an alert is answered with its ack
    return json_reply(ack_view(result), 202)


async def _batch(given: object, key: IdempotencyKey | None) -> list[shapes.Ack]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST:
        what = f"alerts must be a list of 1 to {MOST} alerts"
        raise InvalidFields([FieldError("alerts", what)])
    return [ack_view(ack) for ack in await take_in(given, read_alert, key, counted=True)]


async def listing() -> TrioResponse:
    """A page of alerts, the newest first, with the position of the journal at that moment."""
    query, paging = read_alert_query(request.args)
    with read_in_time(), judged():
        page = await session().journal.alerts(query)
    return json_reply(alerts_view(alert_connection(page, paging)))


async def one(alert_id: str) -> TrioResponse:
    """One alert, and what became of it; 304 to a client that holds it already."""
    wanted = wanted_id(alert_id)
    with read_in_time():
        alert = await session().journal.alert(wanted)
    if alert is None:
        raise Refused(ErrorCode.NOT_FOUND, f"There is no alert {wanted}.", "id")
    return await conditional(json_reply(alert_view(alert)))
