"""``POST /v1/alerts/alertmanager`` and ``POST /api/v2/alerts``."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from quart_trio.wrappers import TrioResponse

from incident_manager.actors.model import Ack
from incident_manager.actors.vocabulary import AckStatus, Severity
from incident_manager.http.ingest.alertmanager import (
    posted_alert,
    posted_alerts,
    webhook_alert,
    webhook_alerts,
)
from incident_manager.http.ingest.severities import severity_table
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.batch import take_in
from incident_manager.http.rest.body import decode, decode_any, read_raw
from incident_manager.http.rest.idempotency import request_key
from incident_manager.http.rest.views import ack_view
from incident_manager.http.serving import gateway, session

__all__ = ["alertmanager", "prometheus"]

_log: Final = logging.getLogger(__name__)


async def alertmanager() -> TrioResponse:
    """Alertmanager's webhook; 202 with the acks."""
    raw = await read_raw()
    alerts = webhook_alerts(decode(raw))
    read = partial(webhook_alert, severities=_severities())
    return _reply(await take_in(alerts, read, request_key(raw)), "Alertmanager", 202)


async def prometheus() -> TrioResponse:
    """What Prometheus posts to an Alertmanager; 200 as from one, and the acks, which it ignores."""
    raw = await read_raw()
    alerts = posted_alerts(decode_any(raw))
    read = partial(posted_alert, severities=_severities(), now=session().now())
    return _reply(await take_in(alerts, read, request_key(raw)), "Prometheus", 200)


def _severities() -> Mapping[str, Severity]:
    return severity_table(gateway().settings.processing.severity_map)


def _reply(acks: Sequence[Ack], sender: str, status: int) -> TrioResponse:
    rejected = [ack for ack in acks if ack.status is AckStatus.REJECTED]
    if rejected:
        # No sender reads the acks: its operator is told here.
        why = rejected[0].message
        _log.warning("%d of %d alerts from %s rejected: %s", len(rejected), len(acks), sender, why)
    return json_reply({"acks": [ack_view(ack) for ack in acks]}, status)
