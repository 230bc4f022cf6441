"""The client in programs that do not run Trio: asyncio, and plain threads."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.http.client import (
    Backoff,
    ClientClosed,
    Connected,
    Message,
    OperationFailed,
    open_client,
)
from incident_manager.http.client.bridge import Bridge, BridgedSubscription, open_bridge
from system.client import PATIENCE, SUBMIT, alert_input
from system.harness import LocalServer, run

STREAM = "subscription { newIncidents { title } }"


async def in_asyncio(function: Callable[..., Awaitable[object]], *args: Any) -> None:
    """Run an asyncio program in a thread, as a program of its own would."""

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            await function(*args)

    await trio.to_thread.run_sync(partial(asyncio.run, main()))


async def submit(bridge: Bridge, title: str) -> None:
    await asyncio.wrap_future(bridge.execute(SUBMIT, {"input": alert_input(title)}))


async def title(stream: BridgedSubscription) -> str:
    return title_of(await asyncio.wrap_future(stream.next()))


def title_of(message: Message | None) -> str:
    assert message is not None
    assert message.data is not None
    found = message.data["newIncidents"]["title"]
    assert isinstance(found, str)
    return found


async def begin(bridge: Bridge) -> BridgedSubscription:
    """From here on: the cursor is the caller's own."""
    data = await asyncio.wrap_future(bridge.execute("{ cursor }"))
    return bridge.subscribe(STREAM, cursor=data["cursor"])


async def test_asyncio(server: LocalServer) -> None:
    async def program() -> None:
        with open_bridge(server.ws) as bridge:
            stream = await begin(bridge)
            for number in range(20):
                await submit(bridge, f"a{number}")
            assert [await title(stream) for _ in range(20)] == [f"a{n}" for n in range(20)]
            with pytest.raises(OperationFailed):
                await asyncio.wrap_future(bridge.execute("{ nothing }"))
            stream.unsubscribe()
            assert await asyncio.wrap_future(stream.next()) is None

    await in_asyncio(program)


async def test_a_future_that_could_be_cancelled_has_taken_nothing(server: LocalServer) -> None:
    async def program() -> None:
        with open_bridge(server.ws) as bridge, await begin(bridge) as stream:
            seen = []
            for number in range(40):
                waiting = stream.next()
                if number % 2:
                    await submit(bridge, f"a{number // 2}")
                if not waiting.cancel():
                    seen.append(title_of(waiting.result()))
            seen += [await title(stream) for _ in range(20 - len(seen))]
            assert seen == [f"a{number}" for number in range(20)]

    await in_asyncio(program)


async def test_it_resumes(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        again = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def heard(event: object) -> None:
            if isinstance(event, Connected) and event.number == 2:
                token.run_sync_soon(again.set)

        async def program() -> None:
            opened = open_bridge(server.place.ws, backoff=Backoff(most=0.1), on_event=heard)
            with opened as bridge, await begin(bridge) as stream:
                await submit(bridge, "before")
                assert await title(stream) == "before"
                await asyncio.to_thread(partial(trio.from_thread.run, restart, trio_token=token))
                await submit(bridge, "after")
                assert await title(stream) == "after"

        async def restart() -> None:
            await server.kill()
            await server.start()
            with trio.fail_after(PATIENCE):
                await again.wait()

        await in_asyncio(program)


async def test_threads(server: LocalServer) -> None:
    def program() -> list[str]:
        with open_bridge(server.ws) as bridge:
            cursor = bridge.execute("{ cursor }").result(PATIENCE)["cursor"]
            with bridge.subscribe(STREAM, cursor=cursor) as stream:
                threads = [threading.Thread(target=work, args=(bridge, n)) for n in range(4)]
                for thread in threads:
                    thread.start()
                titles = []
                for message in stream:
                    assert message.data is not None
                    titles.append(message.data["newIncidents"]["title"])
                    if len(titles) == 20:
                        break
                for thread in threads:
                    thread.join(PATIENCE)
                return titles

    def work(bridge: Bridge, number: int) -> None:
        for each in range(5):
            given = alert_input(f"a{number}.{each}")
            bridge.execute(SUBMIT, {"input": given}).result(PATIENCE)

    titles = await trio.to_thread.run_sync(program)
    assert sorted(titles) == [f"a{n}.{each}" for n in range(4) for each in range(5)]


async def test_leaving_the_block_cancels_what_is_waited_for(server: LocalServer) -> None:
    def program() -> None:
        with open_bridge(server.ws) as bridge:
            stream = bridge.subscribe(STREAM)
            waiting = stream.next()
        assert waiting.cancelled()
        assert isinstance(bridge.execute("{ cursor }").exception(PATIENCE), ClientClosed)
        assert isinstance(stream.next().exception(PATIENCE), ClientClosed)
        stream.unsubscribe()
        with pytest.raises(ClientClosed):
            bridge.subscribe(STREAM)

    await trio.to_thread.run_sync(program)
    async with open_client(server.ws) as client:
        assert await client.execute("{ cursor }")


async def test_a_mistake_in_the_options_is_said_at_once() -> None:
    def program() -> None:
        with pytest.raises(ValueError, match="is not a URL"), open_bridge("http://h/"):
            pytest.fail("it was entered")

    await trio.to_thread.run_sync(program)
