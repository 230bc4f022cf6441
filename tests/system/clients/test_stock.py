"""Stock libraries, unmodified and with their own defaults: what they do after each close code that
this server says passes, and after one that it says is final."""

import json
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from incident_manager.http.close_codes import CloseCode
from system.client import connected
from system.clients.guide import command, printing
from system.clients.programs import CACHE, call, npm
from system.harness import LocalServer, Place

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PASSING = (
    CloseCode.FORBIDDEN,
    CloseCode.GOING_AWAY,
    CloseCode.SERVICE_RESTART,
    CloseCode.TRY_AGAIN_LATER,
)
LIBRARIES = ("graphql-ws", "apollo", "urql")


class Door:
    """Closes its first visitor with a code once that has subscribed; serves all others."""

    def __init__(self, code: CloseCode) -> None:
        self._code = code
        self.visitors = 0

    async def __call__(self, request: WebSocketRequest) -> None:
        self.visitors += 1
        first = self.visitors == 1
        offered = request.proposed_subprotocols
        socket = await request.accept(subprotocol=offered[0] if offered else None)
        try:
            while True:
                message = json.loads(await socket.get_message())
                if message["type"] == "connection_init":
                    await socket.send_message('{"type": "connection_ack"}')
                elif message["type"] == "subscribe":
                    if first:
                        await socket.aclose(self._code, "because")
                        return
                    await socket.send_message(json.dumps(self._event(message["id"])))
        except ConnectionClosed:
            pass  # the visitor has left

    def _event(self, name: str) -> object:
        incident = {"__typename": "Incident", "id": "1", "title": f"after {self._code.value}."}
        payload = {"data": {"newIncidents": incident}, "extensions": {"cursor": "x:1"}}
        return {"type": "next", "id": name, "payload": payload}


@asynccontextmanager
async def served(code: CloseCode) -> AsyncIterator[tuple[Place, Door]]:
    door = Door(code)
    place = Place(HERE)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, door, "127.0.0.1", place.port, None)
        yield place, door
        nursery.cancel_scope.cancel()


def stock(library: str, url: str, *query: str) -> tuple[Sequence[str], Path]:
    place = npm(HERE / "js", CACHE / "guide")
    shutil.copy(HERE / "js" / "stock.mjs", place)
    return ("node", "stock.mjs", library, url, *query), place


async def comes_back(library: str, code: CloseCode) -> None:
    async with served(code) as (place, door), printing(*stock(library, place.ws)) as printer:
        await printer.prints(f"after {code.value}.")
        assert door.visitors == 2


@pytest.mark.component("node")
@pytest.mark.parametrize("library", LIBRARIES)
async def test_it_comes_back_after_what_passes(library: str) -> None:
    async with trio.open_nursery() as nursery:
        for code in PASSING:
            nursery.start_soon(comes_back, library, code)


@pytest.mark.component("node")
@pytest.mark.parametrize("library", LIBRARIES)
async def test_it_gives_up_after_what_is_final(library: str) -> None:
    async with (
        served(CloseCode.BAD_MESSAGE) as (place, door),
        printing(*stock(library, place.ws)) as printer,
    ):
        await printer.prints("error")
        assert door.visitors == 1


@pytest.mark.component("node")
@pytest.mark.parametrize("library", LIBRARIES)
async def test_it_follows_and_hears_of_errors(library: str, server: LocalServer) -> None:
    wrong = stock(library, server.ws, "subscription { nothing }")
    async with (
        printing(*stock(library, server.ws)) as printer,
        printing(*wrong) as failing,
        connected(server.ws) as client,
    ):
        await client.init()
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        await client.submit("one")
        await printer.prints('"one"')
        await failing.prints("nothing" if library == "apollo" else "GRAPHQL_VALIDATION_FAILED")


@pytest.mark.parametrize("name", ["websockets_client.py", "gql_client.py"])
async def test_python_comes_back_by_the_loop_of_the_guide(name: str) -> None:
    for code in PASSING:
        async with (
            served(code) as (place, door),
            printing(*command(name, place)) as printer,
        ):
            await printer.prints(f"after {code.value}.")
            assert door.visitors == 2


def go() -> Sequence[str]:
    """genqlient, built."""
    program = str(CACHE / "go-stock")
    flags = {"GOFLAGS": "-mod=readonly"}
    call("go", "build", "-o", program, "stock.go", cwd=HERE / "go", **flags)
    return (program,)


def rust() -> Sequence[str]:
    """graphql-ws-client, built."""
    target = str(CACHE / "cargo")
    call("cargo", "build", "--locked", "-q", cwd=HERE / "rust", CARGO_TARGET_DIR=target)
    return (f"{target}/debug/stock",)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(go, id="genqlient", marks=pytest.mark.component("go")),
        pytest.param(rust, id="graphql-ws-client", marks=pytest.mark.component("cargo")),
    ],
)
async def test_go_and_rust_follow_and_leave_the_rest_to_the_program(
    build: Callable[[], Sequence[str]], server: LocalServer
) -> None:
    """Neither comes back by itself: they say that the connection is lost, and end."""
    program = build()
    async with (
        printing((*program, server.ws), HERE) as printer,
        printing((*program, server.ws, "subscription { nothing }"), HERE) as failing,
        connected(server.ws) as client,
    ):
        await client.init()
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        await client.submit("one")
        await printer.prints('"one"')
        await failing.prints("nothing")
    for code in PASSING:
        async with (
            served(code) as (place, door),
            printing((*program, place.ws), HERE) as printer,
        ):
            await printer.prints("end")
            assert door.visitors == 1


@pytest.mark.component("node")
async def test_wscat_leaves() -> None:
    for code in PASSING:
        async with (
            served(code) as (place, door),
            printing(*command("wscat.sh", place)) as printer,
        ):
            await printer.ended()
            assert door.visitors == 1
