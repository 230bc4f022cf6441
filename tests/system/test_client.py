"""The product's own client against a real server: through restarts, crashes, tokens and a slow
consumer."""

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from trio_websocket import WebSocketRequest, serve_websocket

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.client import (
    Backoff,
    Client,
    ClientClosed,
    ClientEvent,
    Connected,
    Disconnected,
    Message,
    OperationFailed,
    OutcomeUnknown,
    Refused,
    Subscription,
    TokenFailed,
    TokenRenewed,
    TokenSource,
    Unreachable,
    open_client,
)
from system.client import PATIENCE, SUBMIT, alert_input
from system.harness import LocalServer, ServerProcess, free_port, local, run

SECRET = "a secret of tests that is long enough"
STREAM = "subscription { newIncidents { title } }"
AT_ONCE = Backoff(first=0.01, most=0.05)


E = TypeVar("E", bound=ClientEvent)


class Heard:
    """What a client says of its connection, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[ClientEvent] = []
        self._send, self._receive = trio.open_memory_channel[ClientEvent](10_000)

    def __call__(self, event: ClientEvent) -> None:
        self.events.append(event)
        self._send.send_nowait(event)

    async def wait(self, kind: type[E]) -> E:
        """The next of a kind."""
        with trio.fail_after(PATIENCE):
            while True:
                event = await self._receive.receive()
                if isinstance(event, kind):
                    return event


async def submit(client: Client, title: str, **fields: object) -> None:
    """Send an alert until it is known to be in; its external id makes that one incident."""
    given = alert_input(title, externalId=title, **fields)
    with trio.fail_after(PATIENCE):
        while True:
            try:
                await client.execute(SUBMIT, {"input": given}, repeatable=True)
            except OperationFailed as failed:
                if failed.code != "SERVICE_UNAVAILABLE":
                    raise
            else:
                return


async def next_of(stream: Subscription) -> Message:
    with trio.fail_after(PATIENCE):
        return await stream.__anext__()


def title_of(message: Message) -> str:
    assert message.data is not None
    [root] = message.data.values()
    found = root["title"]
    assert isinstance(found, str)
    return found


async def take(stream: Subscription, count: int) -> list[Message]:
    return [await next_of(stream) for _ in range(count)]


class TestThroughRestarts:
    ALERTS = 300

    async def feed(self, url: str, sent: trio.MemorySendChannel[int]) -> None:
        """Send alerts in, one after the other, whatever becomes of the server."""
        async with open_client(url, backoff=AT_ONCE) as client, sent:
            for number in range(self.ALERTS):
                await submit(client, f"a{number}")
                await sent.send(number)

    async def test_each_event_once_and_in_order(self, tmp_path: Path) -> None:
        heard = Heard()
        async with run(tmp_path) as server, trio.open_nursery() as nursery:
            url = server.place.ws
            async with open_client(url, backoff=AT_ONCE, on_event=heard) as client:
                async with client.subscribe(STREAM) as stream:
                    sent, numbers = trio.open_memory_channel[int](0)
                    nursery.start_soon(self.feed, url, sent)
                    nursery.start_soon(self.disturb, server, numbers)
                    messages = await take(stream, self.ALERTS)
                assert client.statistics().connections >= 3
        assert [title_of(message) for message in messages] == [
            f"a{number}" for number in range(self.ALERTS)
        ]
        assert len({message.cursor for message in messages}) == self.ALERTS
        assert all(message.gap is None and not message.errors for message in messages)
        recovered = [message.recovered for message in messages]
        assert recovered.count(True) >= 2
        assert recovered.count(False) == 0
        losses = [event for event in heard.events if isinstance(event, Disconnected)]
        assert any(loss.code == 1001 for loss in losses)

    async def disturb(self, server: ServerProcess, numbers: trio.MemoryReceiveChannel[int]) -> None:
        """SIGTERM after a third, kill -9 after two thirds of what is acknowledged."""
        async for number in numbers:
            if number == self.ALERTS // 3:
                assert await server.stop() == 0
                await server.start()
            elif number == self.ALERTS * 2 // 3:
                await server.kill()
                await server.start()

    async def test_what_happens_while_it_is_away_is_not_missed(self, tmp_path: Path) -> None:
        """Even where it had not seen a single event yet."""
        heard = Heard()
        async with (
            run(tmp_path) as server,
            open_client(server.place.ws, backoff=AT_ONCE, on_event=heard) as client,
            client.subscribe(STREAM) as stream,
        ):
            await server.kill()
            await heard.wait(Disconnected)
            await server.start()
            async with open_client(server.place.ws, backoff=AT_ONCE) as other:
                await submit(other, "meanwhile")
            assert title_of(await next_of(stream)) == "meanwhile"

    async def test_a_change_whose_answer_is_lost_has_an_unknown_outcome(self) -> None:
        """And is not made again; a query is asked again."""
        send, asked = trio.open_memory_channel[str | bytes](100)

        async def door(request: WebSocketRequest) -> None:
            socket = await request.accept(subprotocol="graphql-transport-ws")
            await socket.get_message()
            await socket.send_message('{"type":"connection_ack"}')
            send.send_nowait(await socket.get_message())
            await socket.aclose(1012)

        async with served(door) as url, open_client(url, backoff=AT_ONCE) as client:
            with pytest.raises(OutcomeUnknown):
                await client.execute("mutation { x }")
            assert "mutation" in str(asked.receive_nowait())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.execute, "{ cursor }")
                with trio.fail_after(PATIENCE):
                    for _ in range(3):
                        assert "cursor" in str(await asked.receive())
                nursery.cancel_scope.cancel()


@asynccontextmanager
async def served(door: Any) -> AsyncIterator[str]:
    """A WebSocket server that does what a test wants it to."""
    port = free_port()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, door, "127.0.0.1", port, None)
        yield f"ws://127.0.0.1:{port}/graphql/ws"
        nursery.cancel_scope.cancel()


class TestTokens:
    @pytest.fixture
    async def guarded(self, tmp_path: Path) -> AsyncIterator[LocalServer]:
        async with local(tmp_path, auth__jwt_secret=SECRET) as server:
            yield server

    def token(self, server: LocalServer, ttl: float, subject: str = "ann") -> str:
        return issue_token(server.gateway.settings, Role.RESPONDER, subject, ttl)

    async def test_it_is_renewed_on_the_living_connection(self, guarded: LocalServer) -> None:
        heard = Heard()
        given: list[str] = []

        async def source() -> str:
            given.append(self.token(guarded, 2 if len(given) < 2 else 3600))
            return given[-1]

        async with open_client(guarded.ws, source, on_event=heard) as client:
            async with client.subscribe(STREAM) as stream:
                for _ in range(2):
                    renewed = await heard.wait(TokenRenewed)
                    assert renewed.accepted
                assert renewed.expires_at is not None
                assert renewed.expires_at > time.time() + 3000
                await submit(client, "after it")
                assert title_of(await next_of(stream)) == "after it"
            assert client.statistics().connections == 1
        assert len(given) == 3

    async def test_one_that_cannot_be_read_is_asked_about(
        self, guarded: LocalServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("incident_manager.http.client.link.expiry_of", lambda token: None)
        heard = Heard()
        async with open_client(guarded.ws, lambda: self.token(guarded, 2), on_event=heard):
            for _ in range(2):
                renewed = await heard.wait(TokenRenewed)
                assert renewed.accepted
                assert renewed.expires_at is not None

    async def test_one_that_expires_is_replaced_by_a_fresh_one(self, guarded: LocalServer) -> None:
        """The source fails when the renewal is due, so that the connection is lost."""
        heard = Heard()
        tokens = 0

        def source() -> str:
            nonlocal tokens
            tokens += 1
            if tokens > 1 and not any(isinstance(event, Disconnected) for event in heard.events):
                raise LookupError("no token just now")
            return self.token(guarded, 1 if tokens == 1 else 3600)

        async with (
            open_client(guarded.ws, source, backoff=AT_ONCE, on_event=heard) as client,
            client.subscribe(STREAM) as stream,
        ):
            renewed = await heard.wait(TokenRenewed)
            assert not renewed.accepted
            assert isinstance(renewed.error, LookupError)
            lost = await heard.wait(Disconnected)
            assert (lost.code, lost.reason) == (4403, "The token has expired")
            await submit(client, "after it")
            message = await next_of(stream)
            assert (title_of(message), message.recovered) == ("after it", True)

    async def test_another_subject_is_rejected(self, guarded: LocalServer) -> None:
        heard = Heard()
        tokens = iter([self.token(guarded, 2), *[self.token(guarded, 60, "eve")] * 20])
        async with open_client(guarded.ws, lambda: next(tokens), on_event=heard):
            renewed = await heard.wait(TokenRenewed)
            assert not renewed.accepted

    @pytest.mark.parametrize(
        "token", [None, "nonsense", lambda: "nonsense"], ids=["none", "text", "callable"]
    )
    async def test_a_bad_one_is_refused_for_good(
        self, guarded: LocalServer, token: TokenSource | None
    ) -> None:
        async with open_client(guarded.ws, token, backoff=AT_ONCE) as client:
            stream = client.subscribe(STREAM)
            with pytest.raises(Refused, match="4403") as caught:
                await client.execute("{ cursor }")
            assert caught.value.code == 4403
            with pytest.raises(Refused):
                await next_of(stream)
            with pytest.raises(Refused):
                client.subscribe(STREAM)
            with pytest.raises(Refused):
                async with stream:
                    pytest.fail("it was entered")

    async def test_a_source_that_fails_from_the_first_is_a_mistake(
        self, guarded: LocalServer
    ) -> None:
        def source() -> str:
            raise LookupError("no such secret")

        async with open_client(guarded.ws, source) as client:
            with pytest.raises(TokenFailed, match="no such secret") as caught:
                await client.execute("{ cursor }")
            assert isinstance(caught.value.__cause__, LookupError)


class TestOperations:
    async def test_a_query_and_its_errors(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            query = "query Q($n: Int) { incidents(pagination: {first: $n}) { cursor } }"
            data = await client.execute(query, {"n": 1}, "Q")
            assert data["incidents"]["cursor"].endswith(":0")
            with pytest.raises(OperationFailed, match="Cannot query field") as caught:
                await client.execute("{ nothing }")
            assert caught.value.code == "GRAPHQL_VALIDATION_FAILED"

    async def test_an_error_ends_the_iteration_of_its_own_subscription(
        self, server: LocalServer
    ) -> None:
        async with open_client(server.ws) as client, client.subscribe(STREAM) as good:
            with pytest.raises(OperationFailed, match=r"extensions\.cursor") as caught:
                await next_of(client.subscribe(STREAM, cursor="what"))
            assert caught.value.code == "BAD_USER_INPUT"
            await submit(client, "one")
            assert title_of(await next_of(good)) == "one"

    async def test_a_gap_is_said_at_once(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            await submit(client, "one")
            stream = client.subscribe(STREAM, cursor="another-journal:7")
            told = await next_of(stream)
            assert told.gap is not None
            assert (told.data, told.recovered, told.gap.since) == (None, False, "another-journal:7")
            message = await next_of(stream)
            assert (title_of(message), message.gap) == ("one", None)

    async def test_a_cursor_of_the_callers_is_gone_on_from(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            start = (await client.execute("{ cursor }"))["cursor"]
            for number in range(5):
                await submit(client, f"a{number}")
            messages = await take(client.subscribe(STREAM, cursor=start), 5)
            assert [title_of(message) for message in messages] == [f"a{n}" for n in range(5)]
            assert [message.recovered for message in messages] == [True, *[None] * 4]
            again = client.subscribe(STREAM, cursor=messages[2].cursor)
            assert [title_of(message) for message in await take(again, 2)] == ["a3", "a4"]

    async def test_unsubscribing_ends_it_on_both_sides(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            for way in ("block", "call", "drop"):
                stream = client.subscribe(STREAM)
                async with client.subscribe(STREAM) as other:
                    await submit(client, way)
                    assert title_of(await next_of(other)) == way
                with trio.fail_after(PATIENCE):
                    while client.statistics().buffered < 1:  # what has come before the end stays
                        await client.execute("{ cursor }")
                if way == "block":
                    async with stream:
                        assert title_of(await next_of(stream)) == way
                if way == "call":
                    stream.unsubscribe()
                    assert [title_of(message) async for message in stream] == [way]
                del stream
                await client.execute("{ cursor }")
                assert client.statistics().subscriptions == 0
            [connection] = server.gateway.connections
            assert connection.statistics()["subscriptions"] == 0

    async def test_cancelling_a_call_leaves_nothing_behind(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            with trio.CancelScope() as scope:
                scope.cancel()
                await client.execute("{ cursor }")
            assert client.statistics().calls == 0
            assert await client.execute("{ cursor }")


class TestSlowConsumers:
    EVENTS = 400

    async def fill(self, url: str) -> str:
        """More events than all buffers hold; the cursor before them."""
        async with open_client(url) as client:
            start: str = (await client.execute("{ cursor }"))["cursor"]
            async with trio.open_nursery() as nursery:
                limit = trio.CapacityLimiter(20)
                for number in range(self.EVENTS):
                    nursery.start_soon(self._one, client, f"a{number}", limit)
        return start

    async def _one(self, client: Client, title: str, limit: trio.CapacityLimiter) -> None:
        async with limit:
            await submit(client, title, description="d" * 1000)

    async def test_alone_it_stops_the_reading(self, server: LocalServer) -> None:
        start = await self.fill(server.ws)
        async with open_client(server.ws, buffer=4) as client:
            stream = client.subscribe(STREAM, cursor=start)
            seen = []
            for _ in range(self.EVENTS):
                seen.append(title_of(await next_of(stream)))
                statistics = client.statistics()
                assert statistics.buffered <= 4
                assert statistics.parked == 0
            assert sorted(seen) == sorted(f"a{number}" for number in range(self.EVENTS))
            assert len(set(seen)) == self.EVENTS

    async def test_it_does_not_hold_up_the_others(self, server: LocalServer) -> None:
        """Not even a call that its own consumer makes between two messages."""
        start = await self.fill(server.ws)
        most = parked = 0
        async with open_client(server.ws, buffer=8) as client:
            stream = client.subscribe(STREAM, cursor=start)
            seen = []
            for _ in range(self.EVENTS):
                seen.append(title_of(await next_of(stream)))
                with trio.fail_after(PATIENCE):
                    await client.execute("{ cursor }")
                statistics = client.statistics()
                most = max(most, statistics.buffered)
                parked += statistics.parked
            assert len(seen) == len(set(seen)) == self.EVENTS
            assert most <= 8
            assert parked > 0
            assert client.statistics().connections == 1


class TestConnecting:
    async def test_no_server_and_no_patience(self) -> None:
        heard = Heard()
        url = f"ws://127.0.0.1:{free_port()}/graphql/ws"
        async with open_client(url, backoff=AT_ONCE, patience=0.1, on_event=heard) as client:
            with pytest.raises(Unreachable, match="Connection refused"):
                await client.execute("{ cursor }")
        assert isinstance(heard.events[0], Disconnected)
        assert heard.events[0].code is None

    async def test_a_wrong_path_is_final(self, server: LocalServer) -> None:
        async with open_client(server.http.replace("http", "ws") + "/nothing") as client:
            with pytest.raises(Refused, match="WebSockets are served at") as caught:
                await client.execute("{ cursor }")
            assert caught.value.code == 404

    @pytest.mark.parametrize("code", [4400, 4401, 4409, 4429, 1002, 1011])
    async def test_a_fatal_close_code_is_final(self, code: int) -> None:
        async def door(request: WebSocketRequest) -> None:
            socket = await request.accept(subprotocol="graphql-transport-ws")
            await socket.get_message()
            await socket.aclose(code, "because")

        async with served(door) as url, open_client(url) as client:
            with pytest.raises(Refused) as caught:
                await client.execute("{ cursor }")
            assert (caught.value.code, caught.value.reason) == (code, "because")

    async def test_another_subprotocol_is_final(self) -> None:
        async def door(request: WebSocketRequest) -> None:
            await (await request.accept()).get_message()

        async with served(door) as url, open_client(url) as client:
            with pytest.raises(Refused, match="does not speak graphql-transport-ws"):
                await client.execute("{ cursor }")

    async def test_what_is_no_message_is_final(self) -> None:
        async def door(request: WebSocketRequest) -> None:
            socket = await request.accept(subprotocol="graphql-transport-ws")
            await socket.send_message("hello")
            await socket.get_message()

        async with served(door) as url, open_client(url) as client:
            with pytest.raises(Refused, match="no message of the protocol"):
                await client.execute("{ cursor }")

    async def test_a_message_beyond_the_limit_is_final(self, server: LocalServer) -> None:
        async with open_client(server.ws, max_message_bytes=200) as client:
            with pytest.raises(Refused) as caught:
                await client.execute("{ a: cursor b: cursor c: cursor d: cursor e: cursor }")
            assert caught.value.code == 1009

    @pytest.mark.parametrize("when", ["handshake", "hello"])
    async def test_a_server_that_says_nothing_is_left(self, when: str) -> None:
        heard = Heard()
        if when == "handshake":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
                async with open_client(url, connect_timeout=0.2, on_event=heard):
                    lost = await heard.wait(Disconnected)
        else:

            async def door(request: WebSocketRequest) -> None:
                await (await request.accept(subprotocol="graphql-transport-ws")).get_message()
                await trio.sleep_forever()

            async with (
                served(door) as url,
                open_client(url, connect_timeout=0.2, on_event=heard),
            ):
                lost = await heard.wait(Disconnected)
        assert lost.reason == "no acknowledgement within 0.2 seconds"

    async def test_a_connection_without_a_sign_of_life_is_dead(self) -> None:
        async def door(request: WebSocketRequest) -> None:
            socket = await request.accept(subprotocol="graphql-transport-ws")
            await socket.get_message()
            await socket.send_message('{"type":"connection_ack"}')
            while True:
                await socket.get_message()

        heard = Heard()
        async with (
            served(door) as url,
            open_client(url, ping_interval=0.1, ping_timeout=0.1, on_event=heard),
        ):
            lost = await heard.wait(Disconnected)
        assert lost.reason == "no sign of life from the server"

    async def test_a_server_that_hangs_up_in_the_handshake(self) -> None:
        async def door(stream: trio.SocketStream) -> None:
            await stream.receive_some()
            await stream.aclose()

        heard = Heard()
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                trio.serve_tcp,
                door,
                0,
            )
            port = listeners[0].socket.getsockname()[1]
            async with open_client(f"ws://127.0.0.1:{port}/", on_event=heard):
                lost = await heard.wait(Disconnected)
            nursery.cancel_scope.cancel()
        assert (lost.code, lost.reason) == (1006, "the server hung up during the handshake")

    async def test_it_says_goodbye(self) -> None:
        closed: list[int] = []

        async def door(request: WebSocketRequest) -> None:
            socket = await request.accept(subprotocol="graphql-transport-ws")
            await socket.get_message()
            await socket.send_message('{"type":"connection_ack"}')
            try:
                while True:
                    await socket.get_message()
            finally:
                assert socket.closed is not None
                closed.append(socket.closed.code)

        heard = Heard()
        async with served(door) as url, open_client(url, on_event=heard):
            await heard.wait(Connected)
        assert closed == [1000]


class TestBlock:
    async def test_what_its_body_raises_comes_out_as_it_is(self, server: LocalServer) -> None:
        error = LookupError("x")
        with pytest.raises(LookupError) as caught:
            async with open_client(server.ws):
                raise error
        assert caught.value is error

    async def test_cancelling_leaves_it(self, server: LocalServer) -> None:
        with trio.CancelScope() as scope:
            async with open_client(server.ws) as client:
                await client.execute("{ cursor }")
                scope.cancel()
                await trio.sleep_forever()
        assert scope.cancelled_caught

    async def test_after_it_nothing_works(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            stream = client.subscribe(STREAM)
        with pytest.raises(ClientClosed):
            await client.execute("{ cursor }")
        with pytest.raises(ClientClosed):
            await next_of(stream)

    @pytest.mark.parametrize("wrong", [{"buffer": 0}, {"connect_timeout": 0}, {"ping_timeout": 0}])
    async def test_numbers_that_make_no_sense(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            async with open_client("ws://h/", **wrong):
                pytest.fail("it was entered")
