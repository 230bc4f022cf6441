"""``/health``, ``/health/live``, ``/health/ready``: one report, three questions."""

from typing import Final

from quart_trio.wrappers import TrioResponse

from incident_manager.http.gateway import Gateway
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import shapes
from incident_manager.http.rest.operation import Operation
from incident_manager.http.serving import gateway
from incident_manager.schema.services import HealthState

__all__ = ["HEALTH", "LIVE", "live", "ready", "report"]

HEALTH: Final = Operation((shapes.Health,), also={503: shapes.Health})
LIVE: Final = Operation((shapes.Health,))


async def report() -> TrioResponse:
    """How the server does: 503 where a part of it does not work."""
    served = gateway()
    return _answer(served, well=served.health().status is not HealthState.UNHEALTHY)


async def live() -> TrioResponse:
    """Whether the process answers; a restart would help nothing else."""
    return _answer(gateway(), well=True)


async def ready() -> TrioResponse:
    """Whether changes are taken: 503 while recovering, draining, or with a journal that cannot
    be written.
    """
    served = gateway()
    return _answer(served, well=served.ready)


def _answer(served: Gateway, *, well: bool) -> TrioResponse:
    health = served.health()
    view: shapes.Health = {
        "status": health.status,
        "version": health.version,
        "uptime_seconds": health.uptime_seconds,
        "components": [
            {"name": part.name, "status": part.status, "message": part.message}
            for part in health.components
        ],
    }
    return json_reply(view, 200 if well else 503)
