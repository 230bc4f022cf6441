"""Messages as Prometheus and Alertmanager send them."""

from typing import Any

__all__ = ["LABELS", "posted", "webhook", "webhook_alert_of"]

LABELS = {"alertname": "HighLatency", "service": "checkout", "severity": "critical"}
ZERO = "0001-01-01T00:00:00Z"
STARTS = "2026-01-31T12:00:00.123456789Z"


def webhook_alert_of(**changes: Any) -> dict[str, Any]:
    """One alert of a webhook message; labels and annotations as given, status firing."""
    return {
        "status": "firing",
        "labels": LABELS,
        "annotations": {"summary": "p99 is 4.2 s"},
        "startsAt": STARTS,
        "endsAt": ZERO,
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": "88c5e4ae5d0ea8b3",
        **changes,
    }


def webhook(*alerts: object, **changes: Any) -> dict[str, Any]:
    """A webhook message of version 4."""
    return {
        "receiver": "incidents",
        "status": "firing",
        "alerts": list(alerts),
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": LABELS,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "truncatedAlerts": 0,
        **changes,
    }


def posted(**changes: Any) -> dict[str, Any]:
    """One alert as Prometheus posts it: no status, no fingerprint."""
    return {
        "labels": LABELS,
        "annotations": {"summary": "p99 is 4.2 s"},
        "startsAt": STARTS,
        "endsAt": "2026-01-31T12:04:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        **changes,
    }
