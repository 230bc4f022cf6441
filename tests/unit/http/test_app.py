"""The application as a server calls it: one scope of ASGI after the other."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from incident_manager.http.app import Application
from incident_manager.http.gateway import Phase
from incident_manager.http.protocol import SUBPROTOCOL
from incident_manager.http.settings import Settings
from unit.http.served import serving

STREAM = "subscription { newIncidents { title } }"


@asynccontextmanager
async def running() -> AsyncIterator[Application]:
    async with serving() as served:
        application = Application(Settings())
        application.gateway.system = served.gateway.running()
        application.gateway.phase = Phase.READY
        yield application


def scope(kind: str, root: str, path: str, **more: Any) -> dict[str, Any]:
    headers = {"host": "localhost", "accept": "*/*", "content-type": "application/json"}
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": root,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8080),
        "extensions": {},
        **more,
    }


async def first_answer(
    application: Application, asked: dict[str, Any], *messages: dict[str, Any]
) -> dict[str, Any]:
    """What the application sends first; its client leaves then."""
    said: list[dict[str, Any]] = []
    left, received = trio.open_memory_channel[dict[str, Any]](10)
    for message in messages:
        left.send_nowait(message)

    async def send(message: dict[str, Any]) -> None:
        if not said:
            kind = "http" if asked["type"] == "http" else "websocket"
            left.send_nowait({"type": f"{kind}.disconnect", "code": 1000})
        said.append(message)

    with trio.fail_after(10):
        await application(asked, received.receive, send)
    return said[0]


@pytest.mark.parametrize("place", ["/graphql/ws", "/graphql"])
@pytest.mark.parametrize(("root", "status"), [("", None), ("/x", None), ("/y", 404)])
async def test_websockets_below_a_root_path(root: str, status: int | None, place: str) -> None:
    path = f"{root.replace('y', 'x')}{place}"
    async with running() as application:
        asked = scope("websocket", root, path, subprotocols=[SUBPROTOCOL])
        answer = await first_answer(application, asked, {"type": "websocket.connect"})
    if status is None:
        assert answer == {"type": "websocket.accept", "subprotocol": SUBPROTOCOL}
    else:
        assert answer["status"] == status


@pytest.mark.parametrize(
    ("root", "path", "status"),
    [
        ("", "/graphql/stream", 200),
        ("/x", "/x/graphql/stream", 200),
        ("", "//graphql/stream", 200),
        ("/x", "/graphql/stream", 404),
        ("/x", "/xgraphql/stream", 404),
        ("/x", "/x/health", 200),
        ("/x", "/health", 404),
        ("", "/nowhere", 404),
    ],
)
async def test_http_below_a_root_path(root: str, path: str, status: int) -> None:
    body = json.dumps({"query": STREAM}).encode()
    method = "GET" if path.endswith("health") else "POST"
    async with running() as application:
        asked = scope("http", root, path, method=method)
        request = {"type": "http.request", "body": body, "more_body": False}
        answer = await first_answer(application, asked, request)
    assert answer["status"] == status
