"""``POST /v1/alerts``: one alert, or many."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import evolve
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.answers import IdempotencyKey
from incident_manager.actors.classify import classify, source_key
from incident_manager.actors.commands import SubmitAlert
from incident_manager.actors.errors import Refused
from incident_manager.actors.model import Ack
from incident_manager.actors.vocabulary import IncidentType, Severity
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.batch import AT_ONCE, take_in
from incident_manager.http.rest.body import read_body
from incident_manager.http.rest.fields import Fields
from incident_manager.http.rest.idempotency import ask, request_key
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.rest.views import ack_view

__all__ = ["MOST", "read_alert", "submit"]

MOST: Final = AT_ONCE
"""How many alerts one request may bring."""

_NEUTRAL: Final = SubmitAlert(source="-", title="-", description="-", severity=Severity.P4)
_REQUIRED: Final = ("source", "title", "description")
_OPTIONAL: Final = ("external_id", "labels", "affected_services", "annotations", "runbook_url")


def read_alert(given: object) -> SubmitAlert:
    """The alert that a JSON value says. Members that are not known do not matter: senders add.

    Raises :class:`InvalidFields` with every field that is wrong.
    """
    if not isinstance(given, Mapping):
        raise InvalidFields([FieldError("", "an alert must be an object")])
    fields = Fields(given)
    command = fields.limited(_NEUTRAL, required=_REQUIRED, optional=_OPTIONAL)
    severity = fields.chosen("severity", _NEUTRAL.severity)
    incident_type = fields.choice("incident_type", IncidentType)
    timestamp = fields.time("timestamp")
    kinds = _kinds(fields, given.get("alert_type"), incident_type)
    fields.done()
    return evolve(
        command,
        severity=severity,
        alert_type=kinds[0],
        incident_type=kinds[1],
        timestamp=timestamp,
        source_key=source_key(command.source, command.external_id),
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
    if "alerts" in body.given:
        return json_reply({"acks": await _batch(body.given["alerts"], key)}, 202)
    answered = await ask([read_alert(body.given)], key)
    [result] = answered.results
    if isinstance(result, Refused):
        raise result
    assert isinstance(result, Ack)  # noqa: S101 -- an alert is answered with its ack
    return json_reply(ack_view(result), 202)


async def _batch(given: object, key: IdempotencyKey | None) -> Sequence[dict[str, object]]:
    if not isinstance(given, list) or not 1 <= len(given) <= MOST:
        what = f"alerts must be a list of 1 to {MOST} alerts"
        raise InvalidFields([FieldError("alerts", what)])
    return [ack_view(ack) for ack in await take_in(given, read_alert, key)]
