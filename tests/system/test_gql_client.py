"""The real Python ``gql`` client (on asyncio, in a thread of its own)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from gql import Client, GraphQLRequest
from gql.transport.exceptions import (
    TransportClosed,
    TransportConnectionFailed,
    TransportQueryError,
)
from gql.transport.websockets import WebsocketsTransport
from graphql import ExecutionResult
from websockets.exceptions import ConnectionClosed

from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.harness import LocalServer, local, run

STREAM = "subscription ($s: [Severity!]) { newIncidents(severities: $s) { title } }"


async def in_asyncio(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run a scenario in an event loop of asyncio beside Trio's."""

    async def limited() -> None:
        async with asyncio.timeout(PATIENCE):
            await scenario()

    await trio.to_thread.run_sync(asyncio.run, limited())


def client_of(url: str) -> Client:
    transport = WebsocketsTransport(url=url, subprotocols=["graphql-transport-ws"])
    return Client(transport=transport, fetch_schema_from_transport=False)


def submit(title: str, **fields: object) -> GraphQLRequest:
    return GraphQLRequest(SUBMIT, variable_values={"input": alert_input(title, **fields)})


def stream(session: Any, **fields: Any) -> AsyncGenerator[ExecutionResult, None]:
    request = GraphQLRequest(STREAM, **fields)
    results: AsyncGenerator[ExecutionResult, None] = session.subscribe(
        request, get_execution_result=True
    )
    return results


def title(result: ExecutionResult) -> str:
    assert result.data is not None
    found: str = result.data["newIncidents"]["title"]
    return found


async def test_connect_filter_receive_complete(server: LocalServer) -> None:
    async def scenario() -> None:
        async with client_of(server.ws) as session:
            everything = stream(session)
            critical = stream(session, variable_values={"s": ["P0"]})
            both = asyncio.gather(anext(everything), anext(critical))
            await asyncio.to_thread(trio.from_thread.run, seated, trio_token=token)
            first = await session.execute(submit("mild", severity="P4"))
            assert first["submitAlert"]["status"] == "ACCEPTED"
            await session.execute(submit("bad", severity="P0"))
            one, two = await both
            assert (title(one), title(two)) == ("mild", "bad")
            assert one.extensions is not None
            assert set(one.extensions) == {"cursor"}
            assert title(await anext(everything)) == "bad"
            await everything.aclose()  # sends complete
            await session.execute(submit("worse", severity="P0"))
            assert title(await anext(critical)) == "worse"
            await critical.aclose()
            assert (await session.execute(GraphQLRequest("{ cursor }")))["cursor"].endswith(":3")

    async def seated() -> None:
        async with opened(server.ws) as client:
            while server.gateway.running().hub.seats < 2:
                await client.ping()

    token = trio.lowlevel.current_trio_token()
    await in_asyncio(scenario)
    async with opened(server.ws) as client:
        while server.gateway.running().hub.seats:
            await client.ping()


async def test_errors_reach_their_operation(server: LocalServer) -> None:
    async def scenario() -> None:
        async with client_of(server.ws) as session:
            with pytest.raises(TransportQueryError) as failed:
                await session.execute(GraphQLRequest("{ nothing }"))
            assert failed.value.errors is not None
            assert failed.value.errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
            with pytest.raises(TransportQueryError) as failed:
                await anext(stream(session, extensions={"cursor": "what"}))
            assert failed.value.errors is not None
            assert failed.value.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"
            await session.execute(submit("the connection goes on"))

    await in_asyncio(scenario)


async def test_it_comes_back_and_has_missed_nothing(tmp_path: Path) -> None:
    async with run(tmp_path) as server:

        async def scenario() -> None:
            client = client_of(server.place.ws)
            session = await client.connect_async(reconnecting=True)
            try:
                results = stream(session)
                [first, _] = await asyncio.gather(anext(results), session.execute(submit("one")))
                assert first.extensions is not None
                await asyncio.to_thread(trio.from_thread.run, server.kill, trio_token=token)
                with pytest.raises((TransportClosed, TransportConnectionFailed)):
                    await anext(results)
                await asyncio.to_thread(trio.from_thread.run, server.start, trio_token=token)
                # An execute that fails makes it connect, and is tried again then.
                await session.execute(submit("two"))
                results = stream(session, extensions=first.extensions)
                second = await anext(results)
                assert title(second) == "two"
                assert second.extensions is not None
                assert second.extensions["recovered"] is True
                await results.aclose()
            finally:
                await client.close_async()

        token = trio.lowlevel.current_trio_token()
        await in_asyncio(scenario)


async def test_a_token_that_is_refused(tmp_path: Path) -> None:
    async with local(tmp_path, auth__jwt_secret="a secret of tests that is long enough") as server:

        async def scenario() -> None:
            with pytest.raises(TransportConnectionFailed) as failed:
                await client_of(server.ws).connect_async()
            closed = failed.value.__cause__
            assert isinstance(closed, ConnectionClosed)
            assert closed.rcvd is not None
            assert closed.rcvd.code == 4403

        await in_asyncio(scenario)
