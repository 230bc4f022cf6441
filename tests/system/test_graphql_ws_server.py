"""What graphql-ws holds its own server to, by its own client: one test for each of its topics.

The topics are those of graphql-ws's ``tests/server.test.ts``. Where its client has too good manners
to raise the question, messages are put on its own socket by its own helpers (``topics.mjs``).
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.actors.projections import Projections
from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.harness import LocalServer, local, run
from system.node import Stock, stock

pytestmark = pytest.mark.component("node")

STREAM = "subscription { newIncidents { title } }"
INIT = {"type": "connection_init"}


def subscribe(name: str, query: str = STREAM, **payload: object) -> dict[str, Any]:
    return {"type": "subscribe", "id": name, "payload": {"query": query, **payload}}


def mutation(name: str, title: str) -> dict[str, Any]:
    return subscribe(name, SUBMIT, variables={"input": alert_input(title)})


def complete(name: str) -> dict[str, Any]:
    return {"type": "complete", "id": name}


@asynccontextmanager
async def started(clients: Path, url: str, **options: object) -> AsyncIterator[Stock]:
    """The client with these options, whatever it does with them."""
    async with stock(clients, url, json.dumps(options), script="topics.mjs") as client:
        yield client


@asynccontextmanager
async def acknowledged(clients: Path, url: str, **options: object) -> AsyncIterator[Stock]:
    async with started(clients, url, **options) as client:
        await client.event("connected")
        yield client


async def again(client: Stock) -> None:
    """Another client of the same kind, in the same process."""
    await client.tell("again")
    await client.event("connected")


async def closed(client: Stock) -> tuple[int, str]:
    """How the server closed: in order, with an answer to the client's close."""
    event = await client.event("closed")
    assert event["wasClean"]
    return event["code"], event["reason"]


async def answered(client: Stock) -> None:
    """Whatever was sent before has been handled, and what came of it is here."""
    await client.tell("raw", messages=[{"type": "ping", "payload": {"mark": True}}])
    await client.event("pong", received=True, payload={"mark": True})


def said(client: Stock, name: str) -> list[str]:
    """The types of the messages that are here for an operation."""
    messages = [event["message"] for event in client.kept if event["event"] == "message"]
    return [message["type"] for message in messages if message.get("id") == name]


async def message(client: Stock, kind: str, name: str) -> dict[str, Any]:
    """The next message of an operation, which is of this type."""
    found: dict[str, Any] = (await client.event("message", name))["message"]
    assert found["type"] == kind, found
    return found


async def seats(server: LocalServer, count: int) -> None:
    """Wait until so many subscriptions have a seat in the hub."""
    async with opened(server.ws) as client:
        with trio.fail_after(PATIENCE):
            while server.gateway.running().hub.seats != count:
                await client.ping()


async def alone(server: LocalServer) -> None:
    """Wait until nothing is left of any connection but the one that looks."""
    async with opened(server.ws) as client:
        tree = server.gateway.running().tree
        with trio.fail_after(PATIENCE):
            while True:
                await client.ping()
                node = tree.snapshot(limit=None).find("root.connections")
                assert node is not None
                if len(node.children) == 1 and not node.children[0].children:
                    break
        assert server.gateway.running().hub.seats == 0
        assert len(server.gateway.connections) == 1


@contextmanager
def held(server: LocalServer) -> Iterator[None]:
    """Another program holds the journal: whoever changes something waits."""
    with closing(sqlite3.connect(server.place.journal)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.rollback()


# Connect


@pytest.mark.parametrize("lazy", [True, False])
async def test_the_ack_comes_without_a_payload(
    server: LocalServer, clients: Path, *, lazy: bool
) -> None:
    async with started(clients, server.ws, lazy=lazy) as client:
        if lazy:
            await client.subscribe("x", STREAM)
        assert (await client.event("opened"))["protocol"] == "graphql-transport-ws"
        assert "payload" not in await client.event("connected")
        assert (await client.event("message"))["message"] == {"type": "connection_ack"}


async def test_a_connection_that_is_refused(tmp_path: Path, clients: Path) -> None:
    async with (
        local(tmp_path, auth__jwt_secret="a secret of tests that is long enough") as server,
        started(clients, server.ws, connectionParams={"Authorization": "Bearer x"}) as client,
    ):
        assert await closed(client) == (4403, "Forbidden")
        await alone_without_token(server)


async def alone_without_token(server: LocalServer) -> None:
    with trio.fail_after(PATIENCE):
        async with server.gateway.running().tree.watch() as changes:
            while server.gateway.connections:
                await anext(changes)


async def test_no_connection_init_in_time(tmp_path: Path, clients: Path) -> None:
    """Only who sent none: the other, who came before, is still there afterwards."""
    async with (
        local(tmp_path, limits__init_timeout="1s") as server,
        acknowledged(clients, server.ws) as punctual,
        started(clients, server.ws, silent=True) as client,
    ):
        assert await closed(client) == (4408, "Connection initialisation timeout")
        await answered(punctual)
        assert not [event for event in punctual.kept if event["event"] == "closed"]


async def test_a_second_connection_init(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws) as client:
        await client.tell("raw", messages=[INIT])
        assert await closed(client) == (4429, "Too many initialisation requests")


async def test_a_second_connection_init_before_the_ack_is_there(
    server: LocalServer, clients: Path
) -> None:
    async with started(clients, server.ws, first=[INIT]) as client:
        assert await closed(client) == (4429, "Too many initialisation requests")


# Ping, pong


async def test_a_ping_before_anything_else_gets_its_pong(
    server: LocalServer, clients: Path
) -> None:
    pings = [{"type": "ping"}, {"type": "ping", "payload": {"iCome": "back", "n": [1, None]}}]
    async with started(clients, server.ws, first=pings) as client:
        assert "payload" not in await client.event("pong", received=True)
        pong = await client.event("pong", received=True)
        assert pong["payload"] == {"iCome": "back", "n": [1, None]}
        await client.event("connected")


async def test_pongs_that_nobody_asked_for(server: LocalServer, clients: Path) -> None:
    pongs = [{"type": "pong"}, {"type": "pong", "payload": {"no": "reason"}}]
    async with acknowledged(clients, server.ws, first=pongs) as client:
        await client.tell("raw", messages=pongs)
        await answered(client)
        kinds = [event["event"] for event in client.kept]
        assert set(kinds) <= {"connecting", "opened", "message"}  # no close, and nothing else


async def test_the_server_pings_with_a_payload_and_takes_the_pong(
    server: LocalServer, clients: Path
) -> None:
    """A cursor that is of no use: it is told at once, though nothing is streamed."""
    async with acknowledged(clients, server.ws) as client:
        await client.subscribe("x", STREAM, extensions={"cursor": "another-epoch:5"})
        payload = (await client.event("ping", received=True))["payload"]
        assert payload["recovered"] is False
        assert payload["gap"]["from"] == "another-epoch:5"
        assert (await client.event("pong", received=False))["payload"] == payload
        await client.submit("one")
        assert await client.title("x") == "one"


async def test_the_clients_keep_alive(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws, keepAlive=10) as client:
        for _ in range(5):
            await client.event("ping", received=False)
            await client.event("pong", received=True)


# Bad messages


BAD = (
    ("text", "", "Message is not valid JSON"),
    ("text", "{", "Message is not valid JSON"),
    ("text", "[]", "Message is expected to be an object, but got array"),
    ("text", "{}", "Message is missing the 'type' property"),
    ("text", '{"type":"start"}', "Invalid message 'type' property \"start\""),
    ("text", '{"type":"connection_ack"}', 'Unexpected message of type "connection_ack"'),
    ("text", '{"type":"next","id":"1","payload":{}}', 'Unexpected message of type "next"'),
    ("text", '{"type":"subscribe","payload":{"query":"{cursor}"}}', '"subscribe" message'),
    ("text", '{"type":"subscribe","id":"","payload":{"query":""}}', '"subscribe" message'),
    ("text", '{"type":"subscribe","id":"1"}', '"subscribe" message'),
    ("text", '{"type":"complete"}', '"complete" message'),
    ("text", '{"type":"ping","payload":1}', '"ping" message'),
    ("binary", '{"type":"ping"}', "Message is expected to be text"),
)


async def test_invalid_messages(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws) as client:
        for command, text, reason in BAD:
            await client.tell(command, text=text)
            code, why = await closed(client)
            assert code == 4400, text
            assert why.startswith(reason)
            await again(client)


async def test_a_close_reason_fits_whatever_it_quotes(server: LocalServer, clients: Path) -> None:
    """RFC 6455, 5.5: a longer one would be a frame that clients must fail at."""
    async with acknowledged(clients, server.ws) as client:
        for name in ("x" * 400, "é" * 400, "€" * 400, "😀" * 400):
            await client.tell("text", text=json.dumps({"type": name}))
            code, reason = await closed(client)
            assert code == 4400
            check_reason(reason, f"Invalid message 'type' property \"{name}")
            await again(client)
            await client.tell("raw", messages=[subscribe(name), subscribe(name)])
            code, reason = await closed(client)
            assert code == 4409
            check_reason(reason, f"Subscriber for {name}")
            await again(client)


def check_reason(reason: str, whole: str) -> None:
    """As much of it as there is room for, in whole characters."""
    assert whole.startswith(reason)
    assert 123 - 4 < len(reason.encode()) <= 123


# Subscribe


async def test_an_operation_before_the_ack(server: LocalServer, clients: Path) -> None:
    async with started(clients, server.ws, first=[subscribe("x")]) as client:
        assert await closed(client) == (4401, "Unauthorized")
        assert not [event for event in client.kept if event["event"] == "connected"]
    await alone(server)


async def test_an_operation_right_behind_the_init(server: LocalServer, clients: Path) -> None:
    """Nothing says that it must wait for the ack to be there before it sends one."""
    async with started(
        clients, server.ws, silent=True, first=[INIT, subscribe("x", "{ cursor }")]
    ) as client:
        await client.event("connected")
        assert "cursor" in (await message(client, "next", "x"))["payload"]["data"]
        await message(client, "complete", "x")


async def test_a_query_is_one_next_and_a_complete(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws) as client:
        await client.subscribe("x", "query A { cursor } query B { __typename }", operationName="B")
        assert (await client.event("next", "x"))["result"] == {"data": {"__typename": "Query"}}
        await client.event("complete", "x")
        kinds = [event["message"]["type"] for event in client.kept if event["event"] == "message"]
        assert kinds == ["connection_ack", "next", "complete"]


async def test_validation_errors_end_the_operation_and_not_the_connection(
    server: LocalServer, clients: Path
) -> None:
    async with acknowledged(clients, server.ws) as client:
        await client.subscribe("x", "query {\n  testNumber\n  testBoolean\n}")
        errors = (await client.event("error", "x"))["errors"]
        assert [error["message"] for error in errors] == [
            "Cannot query field 'testNumber' on type 'Query'.",
            "Cannot query field 'testBoolean' on type 'Query'.",
        ]
        assert [error["locations"] for error in errors] == [
            [{"line": 2, "column": 3}],
            [{"line": 3, "column": 3}],
        ]
        await answered(client)
        assert not [event for event in client.kept if event["event"] in ("closed", "complete")]


async def test_an_id_is_free_after_its_error(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws) as client:
        for query in ("{", "{ nothing }", STREAM.replace("title", "nothing")):
            await client.tell("raw", messages=[subscribe("x", query), subscribe("x", query)])
            await message(client, "error", "x")
            await message(client, "error", "x")
        await client.tell("raw", messages=[subscribe("x", "{ cursor }")])
        await message(client, "next", "x")
        await message(client, "complete", "x")


async def test_a_complete_before_the_result(server: LocalServer, clients: Path) -> None:
    """Nothing follows it, nor is it echoed; the id is free at once."""
    async with acknowledged(clients, server.ws) as client:
        with held(server):
            await client.tell("raw", messages=[mutation("x", "one")])
            await answered(client)
            await client.tell("raw", messages=[complete("x")])
            await answered(client)
            await client.tell("raw", messages=[subscribe("x", "{ __typename }")])
            result = await message(client, "next", "x")
            assert result["payload"] == {"data": {"__typename": "Query"}}
            await message(client, "complete", "x")
        await client.submit("two")  # decided after the first, whose answer nobody wants
        await answered(client)
        assert said(client, "x") == []


async def test_a_complete_in_the_same_breath(server: LocalServer, clients: Path) -> None:
    """The operation may not even have begun."""
    async with acknowledged(clients, server.ws) as client:
        burst = [subscribe("x"), complete("x")] * 20
        await client.tell("raw", messages=burst)
        await seats(server, 0)
        await client.submit("one")
        await answered(client)
        assert said(client, "x") == []


async def test_nothing_is_sent_after_the_complete_of_a_subscription(
    server: LocalServer, clients: Path
) -> None:
    async with acknowledged(clients, server.ws, ids="x") as client:
        await client.subscribe("mine", STREAM)
        await seats(server, 1)
        async with opened(server.ws) as sender:
            await sender.submit("one")
            assert await client.title("mine") == "one"
            await client.tell("complete", id="mine")
            await client.event("complete", "mine")
            await seats(server, 0)
            for number in range(3):
                await sender.submit(f"late {number}")
        await answered(client)
        assert said(client, "x") == ["next"]  # the first one, and no complete echoed
        await client.tell("raw", messages=[complete("x"), complete("never heard of")])
        await answered(client)
        assert said(client, "x") == ["next"]


async def test_an_id_is_used_again_after_its_complete(server: LocalServer, clients: Path) -> None:
    """The old and the new are not taken for each other."""
    async with acknowledged(clients, server.ws) as client:
        critical = subscribe("x", "subscription { newIncidents(severities: [P0]) { title } }")
        await client.tell("raw", messages=[subscribe("x"), complete("x"), critical])
        await seats(server, 1)
        async with opened(server.ws) as sender:
            await sender.submit("mild", severity="P4")
            await sender.submit("bad", severity="P0")
        payload = (await message(client, "next", "x"))["payload"]
        assert payload["data"]["newIncidents"]["title"] == "bad"
        await answered(client)
        assert said(client, "x") == []


async def test_an_id_in_use(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws, ids="not-unique") as client:
        for second in (STREAM, "{ __typename }", "{ no such thing"):
            await client.subscribe("one", STREAM)
            await seats(server, 1)
            await client.subscribe("two", second)
            assert await closed(client) == (4409, "Subscriber for not-unique already exists")
            for name in ("one", "two"):
                assert (await client.event("error", name))["errors"] == 4409
            await alone(server)
            await again(client)


async def test_an_id_in_use_by_one_that_is_still_preparing(
    server: LocalServer, clients: Path
) -> None:
    """It is in use as soon as the subscribe is read, long before there is a result."""
    async with acknowledged(clients, server.ws) as client:
        with held(server):
            await client.tell("raw", messages=[mutation("not-unique", "one")])
            await answered(client)
            await client.tell("raw", messages=[subscribe("not-unique", "{ __typename }")])
            assert await closed(client) == (4409, "Subscriber for not-unique already exists")
        assert said(client, "not-unique") == []
    async with acknowledged(clients, server.ws) as client:
        await client.tell("raw", messages=[subscribe("x"), subscribe("x")])
        assert await closed(client) == (4409, "Subscriber for x already exists")
    await alone(server)


async def test_operations_side_by_side(server: LocalServer, clients: Path) -> None:
    """Slow and quick ones, streams and errors: each gets its own and nothing else."""
    async with acknowledged(clients, server.ws) as client:
        with held(server):
            await client.subscribe("stream", STREAM)
            await client.subscribe(
                "slow", SUBMIT, variables={"input": alert_input("from the slow one")}
            )
            for number in range(30):
                await client.subscribe(f"quick {number}", "{ __typename }")
                await client.subscribe(f"wrong {number}", "{ nothing }")
            for number in range(30):
                result = (await client.event("next", f"quick {number}"))["result"]
                assert result == {"data": {"__typename": "Query"}}
                await client.event("complete", f"quick {number}")
                [error] = (await client.event("error", f"wrong {number}"))["errors"]
                assert "nothing" in error["message"]
            assert not [event for event in client.kept if event.get("id") == "slow"]
        result = (await client.event("next", "slow"))["result"]
        assert result["data"]["submitAlert"]["status"] == "ACCEPTED"
        await client.event("complete", "slow")
        assert await client.title("stream") == "from the slow one"
        assert not [event for event in client.kept if event["event"] in ("next", "error", "closed")]


async def test_an_error_after_a_next(
    server: LocalServer, clients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends its subscription; the others of the connection go on, and its id is free."""
    real = Projections.flat

    def flat(self: Projections, shape: Any, record: Any, epoch: str) -> bytes:
        if "__typename" in str(shape) and record.alert.title == "bad":
            raise RuntimeError("injected")
        return real(self, shape, record, epoch)

    monkeypatch.setattr(Projections, "flat", flat)
    fragile = "subscription { newIncidents { title __typename } }"
    async with acknowledged(clients, server.ws) as client:
        await client.tell("raw", messages=[subscribe("fragile", fragile), subscribe("firm")])
        await seats(server, 2)
        async with opened(server.ws) as sender:
            for title in ("one", "bad", "two"):
                await sender.submit(title)
        await message(client, "next", "fragile")
        [error] = (await message(client, "error", "fragile"))["payload"]
        assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert "injected" not in json.dumps(error)
        for title in ("one", "bad", "two"):
            payload = (await message(client, "next", "firm"))["payload"]
            assert payload["data"]["newIncidents"]["title"] == title
        await client.tell("raw", messages=[subscribe("fragile", "{ __typename }")])
        await message(client, "next", "fragile")
        await message(client, "complete", "fragile")
        assert said(client, "fragile") == []


# Disconnect, close


async def test_nothing_is_left_of_who_leaves(server: LocalServer, clients: Path) -> None:
    """Streams that run, one that has not begun, and a change that is still being made."""
    leaving: dict[str, dict[str, object]] = {
        "drop": {},
        "terminate": {},
        "close": {"code": 4321, "reason": "Byebye"},
    }
    async with acknowledged(clients, server.ws) as client:
        for how, fields in leaving.items():
            with held(server):
                await client.tell("raw", messages=[subscribe(f"s{number}") for number in range(5)])
                await seats(server, 5)
                await client.tell("raw", messages=[mutation("m", how), subscribe("late")])
                await client.tell(how, **fields)
                await client.event("closed")
                await alone(server)
            await again(client)
            assert (await client.submit(f"after {how}"))["status"] == "ACCEPTED"


@pytest.mark.parametrize("when", ["before the ack", "after the ack"])
async def test_a_clients_own_code_is_answered(
    server: LocalServer, clients: Path, when: str
) -> None:
    early = when == "before the ack"
    async with started(clients, server.ws, silent=early) as client:
        await client.event("opened" if early else "connected")
        await client.tell("close", code=4321, reason="Byebye")
        event = await client.event("closed")
        assert (event["code"], event["wasClean"]) == (4321, True)
        await alone(server)
        # And with a reason that is as long as can be: 123 bytes.
        await client.tell("again")
        await client.event("opened" if early else "connected")
        await client.tell("close", code=4999, reason="€" * 41)
        event = await client.event("closed")
        assert (event["code"], event["wasClean"]) == (4999, True)


async def test_the_older_clients_terminate(server: LocalServer, clients: Path) -> None:
    async with acknowledged(clients, server.ws) as client:
        await client.tell("text", text='{"type":"connection_terminate"}')
        assert (await closed(client))[0] == 1000


async def test_a_server_that_goes_away(tmp_path: Path, clients: Path) -> None:
    """1001 is one that the client comes back after; its operations are told of it only when it
    has tried as often as it may.
    """
    async with (
        run(tmp_path) as server,
        acknowledged(clients, server.place.ws, retryAttempts=0) as resigned,
        acknowledged(clients, server.place.ws) as client,
    ):
        await resigned.subscribe("x", STREAM)
        await client.tell("raw", messages=[subscribe("x"), subscribe("y", "{ __typename }")])
        await message(client, "next", "y")
        await message(client, "complete", "y")
        assert await server.stop() == 0
        assert await closed(client) == (1001, "Going away")
        assert await closed(resigned) == (1001, "Going away")
        assert (await resigned.event("error", "x"))["errors"] == 1001
        assert said(client, "x") == []  # it is the close that ends it, no complete or error
        assert server.complaints() == []


# The lazy client


async def test_a_lazy_client_is_there_only_while_it_has_something_to_ask(
    server: LocalServer, clients: Path
) -> None:
    async with started(clients, server.ws, lazy=True) as client:
        for _ in range(2):
            await client.subscribe("x", "{ __typename }")
            await client.event("connected")
            await client.event("complete", "x")
            assert await closed(client) == (1000, "Normal Closure")
        await client.subscribe("stream", STREAM)
        await client.subscribe("other", STREAM)
        await seats(server, 2)
        await client.tell("complete", id="stream")
        await seats(server, 1)
        assert not [event for event in client.kept if event["event"] == "closed"]
        await client.tell("complete", id="other")
        assert await closed(client) == (1000, "Normal Closure")
    await alone(server)


async def test_a_lazy_client_that_stays_a_while(server: LocalServer, clients: Path) -> None:
    """The second operation finds the connection of the first."""
    async with started(clients, server.ws, lazy=True, lazyCloseTimeout=60_000) as client:
        for number in range(3):
            await client.subscribe(f"{number}", "{ __typename }")
            await client.event("complete", f"{number}")
        assert len([e for e in client.kept if e["event"] == "connected"]) == 1
        await client.tell("dispose")
        assert (await closed(client))[0] == 1000
    await alone(server)
