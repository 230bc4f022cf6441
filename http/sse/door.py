"""The door of event streams: Quart decides who gets what, and this serves the stream itself.

A request is asked, checked, counted and refused as every other one. Where the answer is a stream,
the view leaves what is wanted in the scope (:class:`Handover`), and Quart is done with the request
before the stream begins: nothing of it is held as long as the stream lasts.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import ExitStack
from typing import Any, Final

import trio

from incident_manager.http.gateway import Gateway
from incident_manager.http.outbox import Outbox
from incident_manager.http.sse.stream import EventStream
from incident_manager.http.sse.writer import EventWriter
from incident_manager.supervision import SupervisorStopped

__all__ = ["Handover", "event_stream"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Http = Callable[[Scope, Any, Any], Awaitable[None]]

_KEY: Final = "incident_manager.event_stream"
_UNAVAILABLE: Final = {
    "type": "http.response.start",
    "status": 503,
    "headers": [(b"retry-after", b"1"), (b"content-length", b"0")],
}
_END: Final = {"type": "http.response.body", "body": b"", "more_body": False}


class Handover:
    """What a view leaves for the door: the ``stream`` to serve, and in ``held`` what to undo when
    it has ended. ``head`` is the beginning of Quart's answer.
    """

    __slots__ = ("head", "held", "stream")

    def __init__(self, held: ExitStack) -> None:
        self.held = held
        self.stream: EventStream | None = None
        self.head: dict[str, Any] | None = None

    @staticmethod
    def of(scope: Mapping[str, Any]) -> "Handover":
        """The one of a request; KeyError where it did not come through the door."""
        found: Handover = scope[_KEY]
        return found


async def event_stream(
    gateway: Gateway, http: Http, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve one ``http`` scope of ASGI that may ask for a stream; ``http`` is the application."""
    with ExitStack() as held:
        handover = Handover(held)
        scope[_KEY] = handover
        left = False

        async def heard() -> Mapping[str, Any]:
            nonlocal left
            message = await receive()
            left = left or message["type"] == "http.disconnect"
            return message

        async def answer(message: dict[str, Any]) -> None:
            if handover.stream is None:
                await send(message)
            elif message["type"] == "http.response.start":
                handover.head = message

        await http(scope, heard, answer)
        if handover.stream is not None and handover.head is not None and not left:
            await _serve(gateway, handover.stream, handover.head, receive, send)


async def _serve(
    gateway: Gateway, stream: EventStream, head: dict[str, Any], receive: Receive, send: Send
) -> None:
    system = gateway.running()
    gateway.serial += 1
    began = trio.current_time()
    try:
        async with (
            system.connections.adopt(f"c{gateway.serial}", "connection") as child,
            trio.open_nursery() as nursery,
        ):
            writer = EventWriter(send, nursery.start_soon)
            limit = gateway.settings.limits.outbox_bytes
            outbox = Outbox(
                writer, send, nursery.start_soon, limit, gateway.counters, system.hub.latency
            )
            gateway.counters.connections += 1
            try:
                await stream.run(child, outbox, receive, lambda: send(head))
                if not stream.gone:
                    await writer.settled()
                    await send(_END)
            finally:
                outbox.close()
                gateway.counters.lives.observe(trio.current_time() - began)
                nursery.cancel_scope.cancel()
    except SupervisorStopped:  # it began to stop between the look and the entry
        await send(_UNAVAILABLE)
        await send(_END)
