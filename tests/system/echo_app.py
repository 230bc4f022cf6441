"""An application that sends back every WebSocket message, to test the transport alone.

As a program, ``echo_app.py PORT``, it serves on loopback by the transport under test; with
``--stock`` by Hypercorn as it is, with ``--compression`` permessage-deflate may be agreed, and
parts of messages may come as fast as they can: Autobahn sends half a million for a case.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from incident_manager.http import hypercorn_ws
from incident_manager.http.transport import Guard, install

__all__ = ["EchoApp"]

STALL = 60.0  # seconds

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class EchoApp:
    """ASGI, with a guard for the transport as the real application has one."""

    def __init__(self, *, compression: bool = False) -> None:
        self.guard = Guard(write_timeout=STALL, compression=compression)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body"})

    async def _websocket(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            match message["type"]:
                case "websocket.connect":
                    await send({"type": "websocket.accept"})
                case "websocket.receive":
                    text, data = message.get("text"), message.get("bytes")
                    await send({"type": "websocket.send", "text": text, "bytes": data})
                case _:
                    return

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        for _ in range(2):  # startup, shutdown
            message = await receive()
            await send({"type": f"{message['type']}.complete"})


def main(arguments: list[str]) -> None:
    port, *flags = arguments
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    if "--stock" not in flags and not install():
        sys.exit("the transport does not know this Hypercorn")
    compression = "--compression" in flags
    if compression:
        hypercorn_ws._SMALL_FRAMES = 0  # no limit
    app = EchoApp(compression=compression)
    trio.run(partial(serve, app, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(sys.argv[1:])
