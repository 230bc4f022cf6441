"""Incidents and updates as the server sends them."""

from datetime import UTC, datetime
from typing import Any

from incident_manager.http.watch.model import Row, Update

__all__ = ["incident", "moment", "row", "update"]


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def incident(number: int = 1, **fields: Any) -> dict[str, Any]:
    given = {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "title": f"incident {number}",
        "severity": "P2",
        "state": "NEW",
        "source": "tests",
        "assignees": [],
        "labels": {},
        "alertCount": 1,
        "version": 1,
        "createdAt": moment(1000.0 + number),
        "updatedAt": moment(1000.0 + number),
    }
    return {**given, **fields}


def row(number: int = 1, **fields: Any) -> Row:
    return Row.read(incident(number, **fields))


def update(number: int = 1, kind: str = "UPDATED", **fields: Any) -> Update:
    found = Update.read(
        {
            "updateType": kind,
            "timestamp": moment(2000.0),
            "actor": "ann",
            "incident": incident(number, **fields),
        }
    )
    assert found is not None
    return found
