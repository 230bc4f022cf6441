"""What the API's description says of the alerts that other systems send in their own form."""

from typing import Final

from incident_manager.http.rest import shapes
from incident_manager.http.rest.operation import Operation, Other

__all__ = ["ALERTMANAGER", "PROMETHEUS"]

_STRINGS: Final = {"type": ["object", "null"], "additionalProperties": {"type": "string"}}
_TEXT: Final = {"type": ["string", "null"]}
_TIME: Final = {**_TEXT, "format": "date-time"}
_MEMBERS: Final = {
    "labels": {
        "type": "object",
        "required": ["alertname"],
        "additionalProperties": {"type": "string"},
    },
    "annotations": _STRINGS,
    "startsAt": _TIME,
    "endsAt": _TIME,
    "generatorURL": _TEXT,
}
_STATUS: Final = {"type": "string", "enum": ["firing", "resolved"]}
_ALERT: Final = {"type": "object", "required": ["labels"], "properties": _MEMBERS}
_WEBHOOK_ALERT: Final = {
    "type": "object",
    "required": ["status", "labels"],
    "properties": {**_MEMBERS, "status": _STATUS, "fingerprint": _TEXT},
}
_WEBHOOK: Final = {
    "description": "A message of Alertmanager's webhook, version 4 (`<webhook_config>`).",
    "type": "object",
    "required": ["alerts"],
    "properties": {
        "version": {"type": "string", "const": "4"},
        "alerts": {"type": "array", "items": _WEBHOOK_ALERT},
    },
}
_POSTED: Final = {
    "description": "`postableAlerts` of Alertmanager's own API, version 2.",
    "type": "array",
    "items": _ALERT,
}

ALERTMANAGER: Final = Operation(
    (shapes.Acks,), status=202, bodies=(Other("AlertmanagerMessage", _WEBHOOK),)
)
PROMETHEUS: Final = Operation((shapes.Acks,), bodies=(Other("PostableAlerts", _POSTED),))
