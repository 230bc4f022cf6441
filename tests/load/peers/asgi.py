"""What the peers in Python share: the listeners by source, ``POST /v1/alerts``, and uvicorn."""

import asyncio
import contextlib
import secrets
import socket
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

__all__ = ["Topics", "serve"]

T = TypeVar("T")


class Topics(Generic[T]):
    """A queue for each listener, by source: an event wakes nobody whom it does not concern."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, set[asyncio.Queue[T]]] = defaultdict(set)

    async def listen(self, sources: Sequence[str]) -> AsyncGenerator[T, None]:
        queue: asyncio.Queue[T] = asyncio.Queue()
        for source in sources:
            self._queues[source].add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            for source in sources:
                self._queues[source].discard(queue)

    def publish(self, source: str, event: T) -> None:
        for queue in self._queues[source]:
            queue.put_nowait(event)


def serve(graphql: Any, publish: Callable[[dict[str, Any]], None]) -> None:
    """Serve on the port of the command line; ``publish`` gets the fields of each incident."""
    epoch, offset = secrets.token_hex(16), 0

    def accept(alert: dict[str, Any]) -> dict[str, Any]:
        nonlocal offset
        offset += 1
        identifier = str(uuid.uuid4())
        created_at = datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        publish(
            {
                "id": identifier,
                "title": alert["title"],
                "description": alert["description"],
                "severity": alert["severity"],
                "state": "NEW",
                "source": alert["source"],
                "created_at": created_at,
                "cursor": f"{epoch}:{offset}",
            }
        )
        return {"incident_id": identifier, "status": "ACCEPTED", "received_at": created_at}

    async def alerts(request: Request) -> JSONResponse:
        body = await request.json()
        many = body.get("alerts")
        answer = accept(body) if many is None else {"acks": [accept(one) for one in many]}
        return JSONResponse(answer, status_code=202)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        print("ready", flush=True)
        yield

    app = Starlette(
        routes=[
            Route("/v1/alerts", alerts, methods=["POST"]),
            WebSocketRoute("/graphql/ws", graphql),
        ],
        lifespan=lifespan,
    )
    # Already listening when it says that it is ready.
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_level="warning", access_log=False
    )
    uvicorn.Server(config).run(sockets=[listener])
