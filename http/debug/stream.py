"""The changes of the actor tree as server-sent events: ``/debug/actors?watch``."""

from collections.abc import AsyncGenerator, Callable
from typing import Final

import msgspec
import trio

from incident_manager.http.debug.picture import node_view
from incident_manager.http.gateway import Gateway
from incident_manager.http.principal import ANONYMOUS, Principal
from incident_manager.supervision import Change, ChangeKind, Tree, Watch

__all__ = ["changes", "event"]

_PACE: Final = 0.1  # seconds between two lots of changes: what changes again meanwhile is told once
_ALIVE: Final = 15.0  # seconds without a change after which a comment is sent

_encoder: Final = msgspec.json.Encoder(enc_hook=dict)


def event(name: str, value: object) -> bytes:
    """One event, as the HTML standard has it (section 9.2, server-sent events)."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _encoder.encode(value))


async def changes(
    gateway: Gateway,
    tree: Tree,
    actor_id: str | None,
    picture: Callable[[], object],
    until: float,
    who: Principal = ANONYMOUS,
) -> AsyncGenerator[bytes, None]:
    """First the ``picture`` (``snapshot``), then ``added``, ``changed`` and ``removed`` actors.

    With an ``actor_id`` only of that one and what is under it.

    A reader that is slower than the tree gets each actor's latest state, and a new ``snapshot``
    where too much has changed. The last event is ``end``, with the reason: the server stops or has
    failed, Trio's clock has come to ``until``, or the API key of ``who`` is not good any more.
    """
    async with tree.watch() as watch:
        yield event("snapshot", picture())
        while True:
            first = await _next(gateway, watch, until)
            reason = _end(gateway, until, who)
            if reason is not None:
                yield event("end", {"reason": reason})
                return
            if first is None:
                yield b": still here\n\n"
                continue
            lot = [first]
            await trio.sleep(_PACE)
            while (change := watch.next_nowait()) is not None:
                lot.append(change)
            if any(each.kind is ChangeKind.RESYNC for each in lot):
                yield event("snapshot", picture())
            else:
                mine = (each for each in lot if _is_under(actor_id, each.id))
                told = b"".join(_told(gateway, each) for each in mine)
                if told:
                    yield told


def _is_under(actor_id: str | None, changed: str) -> bool:
    return actor_id is None or f"{changed}.".startswith(f"{actor_id}.")


def _told(gateway: Gateway, change: Change) -> bytes:
    actor = None if change.node is None else node_view(change.node, gateway.redactor)
    return event(change.kind.value, {"id": change.id, "actor": actor})


def _end(gateway: Gateway, until: float, who: Principal) -> str | None:
    if gateway.draining.is_set():
        return "draining"
    if gateway.ended.is_set():
        return "failed"
    if gateway.authenticator.revoked(who):
        return "revoked"
    return "expired" if trio.current_time() >= until else None


async def _next(gateway: Gateway, watch: Watch, until: float) -> Change | None:
    """The next change; None when it is time to say something else."""
    found: Change | None = None
    async with trio.open_nursery() as nursery:
        for sign in (gateway.draining, gateway.ended, gateway.keys_changed):
            nursery.start_soon(_stop_at, sign, nursery.cancel_scope)
        with trio.move_on_at(min(until, trio.current_time() + _ALIVE)):
            found = await anext(watch)
        nursery.cancel_scope.cancel()
    return found


async def _stop_at(sign: trio.Event, scope: trio.CancelScope) -> None:
    await sign.wait()
    scope.cancel()
