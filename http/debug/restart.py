"""``POST /debug/actors/{id}/restart``: an operator has one actor started again."""

import logging
from typing import Final

import trio
from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.errors import ErrorCode, Refused, Unavailable
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.model import Micros
from incident_manager.actors.system import System
from incident_manager.http.counters import Eviction
from incident_manager.http.debug.picture import node_view
from incident_manager.http.replies import json_reply
from incident_manager.http.serving import PATIENCE, gateway, session
from incident_manager.supervision import Node, StartFailed, SupervisorStopped

__all__ = ["restart"]

_audit: Final = logging.getLogger("incident_manager.audit")


async def restart(actor_id: str) -> TrioResponse:
    """Have an actor started again: 200 when it runs.

    A connection is closed (1012) instead, 202: its client comes back by itself and resumes. The
    others cannot be restarted alone, 409. Who asked for it is in the audit, and in the log.
    """
    system = gateway().running()
    node = system.tree.find(actor_id)
    if node is None:
        raise Refused(ErrorCode.NOT_FOUND, f"There is no actor {actor_id}.", "id")
    outcome = "refused"
    at = system.clock()
    try:
        status = await _restart(system, node)
        outcome = "done"
    except (StartFailed, SupervisorStopped, trio.TooSlowError) as failure:
        outcome = str(failure) or "too slow"
        raise Unavailable(f"{actor_id} does not run again yet: {outcome}.") from failure
    finally:
        _audit.info(
            "restart of an actor",
            extra={
                "actor": actor_id,
                "principal": session().principal.name,
                "peer": request.remote_addr,
                "outcome": outcome,
            },
        )
        await _note(system, at, actor_id, outcome)
    return json_reply({"actor": _view(system, actor_id)}, status)


async def _note(system: System, at: Micros, actor_id: str, outcome: str) -> None:
    """Write it into the audit, when the journal runs; the log has it in any case."""
    detail = {"actor": actor_id, "outcome": outcome, "peer": request.remote_addr or ""}
    who = session()
    entry = AuditEntry(
        at, AuditAction.ACTOR_RESTARTED, who.principal.name, trace=who.trace, detail=detail
    )
    try:
        await system.journal.note((entry,))
    except JournalUnavailable as failure:
        _audit.error("the restart is not in the audit: %s", failure)


async def _restart(system: System, node: Node) -> int:
    parent = node.parent
    if parent is system.supervisor.node and node.name in system.supervisor.ids:
        with trio.fail_after(PATIENCE):
            await system.supervisor.restart_child(node.name)
        return 200
    if parent is not None and parent is system.connections.node:
        try:
            system.connections.stop_child(node.name)
        except KeyError:
            raise Refused(ErrorCode.NOT_FOUND, f"{node.id} has just ended.", "id") from None
        gateway().counters.evictions[Eviction.OPERATOR] += 1
        return 202
    raise Refused(
        ErrorCode.CONFLICT,
        f"{node.id} ({node.kind}) cannot be restarted by itself.",
        "id",
    )


def _view(system: System, actor_id: str) -> dict[str, object] | None:
    try:
        shot = system.tree.snapshot(node_id=actor_id, limit=0)
        return node_view(shot.root, gateway().redactor)
    except KeyError:
        return None  # a connection that was quick to leave
