"""Stock libraries, unmodified and with their own defaults: that they connect, subscribe, receive,
hear of errors, complete and are completed, and what they do after each close code that this server
says passes, and after one that it says is final."""

import json
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from incident_manager.http.close_codes import CloseCode
from system.client import PATIENCE, connected
from system.clients.guide import GUIDE, command, printing
from system.clients.programs import CACHE, call, npm
from system.docs.test_truth import rows, section
from system.harness import LocalServer, Place

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PASSING = (
    CloseCode.FORBIDDEN,
    CloseCode.GOING_AWAY,
    CloseCode.SERVICE_RESTART,
    CloseCode.TRY_AGAIN_LATER,
)

Command = tuple[Sequence[str], Path]


def node(library: str, *given: str) -> Command:
    place = npm(HERE / "js", CACHE / "guide")
    shutil.copy(HERE / "js" / "stock.mjs", place)
    return ("node", "stock.mjs", library, *given), place


def python(*given: str) -> Command:
    return (sys.executable, "stock_gql.py", *given), HERE


def go(name: str, *given: str) -> Command:
    program = str(CACHE / f"go-{name}")
    call("go", "vet", f"{name}.go", cwd=HERE / "go", GOFLAGS="-mod=readonly")
    call("go", "build", "-o", program, f"{name}.go", cwd=HERE / "go", GOFLAGS="-mod=readonly")
    return (program, *given), HERE


def rust(*given: str) -> Command:
    target = str(CACHE / "cargo")
    call("cargo", "build", "--locked", "-q", cwd=HERE / "rust", CARGO_TARGET_DIR=target)
    return (f"{target}/debug/stock", *given), HERE


@frozen
class Stock:
    """``run`` makes the command for a URL, and maybe a query.

    ``returns``: it comes back by itself. ``queries``: it takes queries over the WebSocket.
    ``tells`` is what it has of an error in the document: its code, where it hands that on.
    """

    name: str
    needs: str | None
    run: Callable[..., Command]
    returns: bool = True
    queries: bool = True
    tells: str = "GRAPHQL_VALIDATION_FAILED"


LIBRARIES = (
    Stock("graphql-ws", "node", partial(node, "graphql-ws")),
    Stock("@apollo/client", "node", partial(node, "apollo"), queries=False, tells="nothing"),
    Stock("urql", "node", partial(node, "urql"), queries=False),
    Stock("gql", None, python),
    Stock("hasura/go-graphql-client", "go", partial(go, "hasura"), tells="nothing"),
    Stock("Khan/genqlient", "go", partial(go, "genqlient"), returns=False),
    Stock("graphql-ws-client", "cargo", rust, returns=False, tells="nothing"),
)


def each(*libraries: Stock) -> list[object]:
    return [
        pytest.param(
            library,
            id=library.name,
            marks=[] if library.needs is None else pytest.mark.component(library.needs),
        )
        for library in libraries
    ]


class Door:
    """Closes its first visitor with a code, if it has one, once that has subscribed; serves all
    others, each with one event, which may be the end of the stream.
    """

    def __init__(self, code: CloseCode | None, *, ends: bool = False) -> None:
        self._code = code
        self._ends = ends
        self.visitors = 0
        self.completed = trio.Event()

    async def __call__(self, request: WebSocketRequest) -> None:
        self.visitors += 1
        first = self.visitors == 1
        offered = request.proposed_subprotocols
        socket = await request.accept(subprotocol=offered[0] if offered else None)
        subscribed = None
        try:
            while True:
                message = json.loads(await socket.get_message())
                if message["type"] == "connection_init":
                    await socket.send_message('{"type": "connection_ack"}')
                elif message["type"] == "subscribe":
                    if first and self._code is not None:
                        await socket.aclose(self._code, "because")
                        return
                    subscribed = message["id"]
                    await socket.send_message(json.dumps(self._event(subscribed)))
                    if self._ends:
                        end = {"type": "complete", "id": subscribed}
                        await socket.send_message(json.dumps(end))
                elif message["type"] == "complete":
                    assert message["id"] == subscribed
                    self.completed.set()
        except ConnectionClosed:
            pass  # the visitor has left

    def _event(self, name: str) -> object:
        title = "welcome" if self._code is None else f"after {self._code.value}."
        incident = {"__typename": "Incident", "id": "1", "title": title}
        payload = {"data": {"newIncidents": incident}, "extensions": {"cursor": "x:1"}}
        return {"type": "next", "id": name, "payload": payload}


@asynccontextmanager
async def served(
    code: CloseCode | None, *, ends: bool = False
) -> AsyncIterator[tuple[Place, Door]]:
    door = Door(code, ends=ends)
    place = Place(HERE)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, door, "127.0.0.1", place.port, None)
        yield place, door
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("library", each(*LIBRARIES))
async def test_it_follows_and_hears_of_errors(library: Stock, server: LocalServer) -> None:
    async with (
        printing(*library.run(server.ws)) as printer,
        printing(*library.run(server.ws, "subscription { nothing }")) as failing,
        connected(server.ws) as client,
    ):
        await client.init()
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        await client.submit("one")
        await printer.prints('"one"')
        await failing.prints(library.tells)


@pytest.mark.parametrize("library", each(*(one for one in LIBRARIES if one.queries)))
async def test_a_query_completes(library: Stock, server: LocalServer) -> None:
    async with printing(*library.run(server.ws, "{ cursor }")) as printer:
        await printer.prints('"cursor"')
        await printer.prints("complete")


@pytest.mark.parametrize("library", each(*LIBRARIES))
async def test_it_hears_of_the_end(library: Stock) -> None:
    async with (
        served(None, ends=True) as (place, door),
        printing(*library.run(place.ws)) as printer,
    ):
        await printer.prints("welcome")
        await printer.prints("complete")
        assert door.visitors == 1


@pytest.mark.parametrize("library", each(*LIBRARIES))
async def test_it_says_when_it_wants_no_more(library: Stock) -> None:
    async with (
        served(None) as (place, door),
        printing(*library.run(place.ws), LEAVE="1") as printer,
    ):
        await printer.prints("welcome")
        with trio.fail_after(PATIENCE):
            await door.completed.wait()
        assert door.visitors == 1


async def comes_back(library: Stock, code: CloseCode) -> None:
    async with served(code) as (place, door), printing(*library.run(place.ws)) as printer:
        await printer.prints(f"after {code.value}.")
        assert door.visitors == 2


@pytest.mark.parametrize("library", each(*(one for one in LIBRARIES if one.returns)))
async def test_it_comes_back_after_what_passes(library: Stock) -> None:
    async with trio.open_nursery() as nursery:
        for code in PASSING:
            nursery.start_soon(comes_back, library, code)


@pytest.mark.parametrize("library", each(*(one for one in LIBRARIES if not one.returns)))
async def test_it_leaves_the_return_to_the_program(library: Stock) -> None:
    """It says that the connection is lost, and that is all."""
    for code in PASSING:
        async with served(code) as (place, door), printing(*library.run(place.ws)) as printer:
            await printer.prints("end")
            assert door.visitors == 1


async def gives_up(library: Stock, code: CloseCode) -> None:
    async with served(code) as (place, door), printing(*library.run(place.ws)) as printer:
        await printer.prints("error")
        assert door.visitors == 1


@pytest.mark.parametrize("library", each(*LIBRARIES[1:3]))
async def test_it_gives_up_after_what_is_final(library: Stock) -> None:
    await gives_up(library, CloseCode.BAD_MESSAGE)


@pytest.mark.component("node")
async def test_graphql_ws_does_what_the_table_of_the_guide_says() -> None:
    """After each code that this server closes with."""
    table = rows(section(GUIDE.read_text(), "Errors by close code"))
    retries = {int(row[0]): row[2].startswith("yes") for row in table}
    for code in CloseCode:
        await (comes_back if retries[code] else gives_up)(LIBRARIES[0], code)


@pytest.mark.parametrize("name", ["websockets_client.py", "gql_client.py"])
async def test_python_comes_back_by_the_loop_of_the_guide(name: str) -> None:
    for code in PASSING:
        async with (
            served(code) as (place, door),
            printing(*command(name, place)) as printer,
        ):
            await printer.prints(f"after {code.value}.")
            assert door.visitors == 2


def wscat(url: str, *messages: object) -> Command:
    place = npm(HERE / "js", CACHE / "guide")
    said = [part for each in messages for part in ("-x", json.dumps(each))]
    wait = ("-w", "-1", "-s", "graphql-transport-ws")
    return ("npx", "--offline", "wscat", "-c", url, *wait, *said), place


def begin(name: str, query: str) -> object:
    return {"type": "subscribe", "id": name, "payload": {"query": query}}


HELLO = {"type": "connection_init"}
FOLLOW = begin("1", "subscription { newIncidents { title } }")


@pytest.mark.component("node")
async def test_wscat_shows_events_errors_and_the_end(server: LocalServer) -> None:
    asked = (begin("wrong", "{ nothing }"), begin("right", "{ cursor }"))
    async with (
        printing(*wscat(server.ws, HELLO, FOLLOW, *asked)) as printer,
        connected(server.ws) as client,
    ):
        await client.init()
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        await client.submit("one")
        await printer.prints('"one"')
        await printer.prints("GRAPHQL_VALIDATION_FAILED")
        await printer.prints('"complete"')


@pytest.mark.component("node")
async def test_wscat_completes() -> None:
    async with (
        served(None) as (place, door),
        printing(*wscat(place.ws, HELLO, FOLLOW, {"type": "complete", "id": "1"})) as printer,
    ):
        await printer.prints("welcome")
        with trio.fail_after(PATIENCE):
            await door.completed.wait()


@pytest.mark.component("node")
async def test_wscat_leaves() -> None:
    for code in PASSING:
        async with (
            served(code) as (place, door),
            printing(*command("wscat.sh", place)) as printer,
        ):
            await printer.ended()
            assert door.visitors == 1


def test_the_guide_says_which_come_back() -> None:
    table = rows(section(GUIDE.read_text(), "Stock libraries"))
    said = {row[0].strip("`"): row[1] for row in table}
    for library in LIBRARIES:
        assert said[library.name].startswith("yes") is library.returns, library.name
