"""Connections of a kind: children of the supervisor of connections, with figures of their own."""

from collections.abc import Mapping

import trio
import trio.testing

from incident_manager.supervision import Child
from unit.http.served import Served

__all__ = ["FIGURES", "connect"]

FIGURES: dict[str, object] = {
    "peer": "127.0.0.1:1",
    "principal": "ann",
    "subscriptions": 2,
    "bytes_out": 10,
    "backlog_bytes": 3,
    "live": 1,
    "reading": 1,
    "lag_events": 5,
}


async def connect(
    served: Served, *figures: Mapping[str, object], leave: trio.Event | None = None
) -> None:
    """Have one connection for each set of figures: c0, c1 ... They end when they are asked to, and
    not before ``leave``.
    """
    assert served.gateway.system is not None
    for number, own in enumerate(figures):

        async def linger(
            child: Child,
            own: Mapping[str, object] = own,
            *,
            task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            child.observe(lambda: {**FIGURES, **own})
            task_status.started()
            await child.stopping.wait()
            if leave is not None:
                await leave.wait()

        served.gateway.system.connections.start_child(f"c{number}", "connection", linger)
    await trio.testing.wait_all_tasks_blocked()
