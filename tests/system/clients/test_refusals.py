"""The example clients where the first question is not answered, where a stream is completed, and
where the token that is taken is said to be at its end: a server that does so when asked.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from system.client import PATIENCE
from system.clients.follower import Follower, Token, following
from system.clients.test_programs import built, command
from system.harness import Place

__all__ = ["built", "command"]

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
LOOKS = 20
Answer = dict[str, Any]


def errors(code: str) -> Answer:
    return {"data": None, "errors": [{"message": "no", "extensions": {"code": code}}]}


ALERT: Answer = {
    "data": {
        "alerts": {
            "id": "1",
            "externalId": "1",
            "source": "s",
            "title": "t",
            "severity": "P1",
            "status": "ACCEPTED",
            "incidentId": None,
            "receivedAt": "2026-01-01T00:00:00Z",
        }
    },
    "extensions": {"cursor": "x:2"},
}


class Server:
    """Answers the first question by ``answers``, one after the other, and then as it should be."""

    def __init__(self, *answers: Answer, completes: bool = False) -> None:
        self._answers = list(answers)
        self._completes = completes
        self.renewals = 0
        self.renewed = trio.Event()
        self._pongs, self.pongs = trio.open_memory_channel[None](LOOKS)
        self.socket: WebSocketConnection | None = None

    async def __call__(self, request: WebSocketRequest) -> None:
        socket = self.socket = await request.accept(subprotocol="graphql-transport-ws")

        async def say(**message: object) -> None:
            await socket.send_message(json.dumps(message))

        try:
            while True:
                message = json.loads(await socket.get_message())
                match message:
                    case {"type": "connection_init"}:
                        await say(type="connection_ack")
                    case {"type": "subscribe", "id": name, "payload": {"query": query}} if (
                        not query.startswith("subscription")
                    ):
                        payload = self._answers.pop(0) if self._answers else None
                        payload = payload or {"data": {"cursor": "x:1"}}
                        await say(type="next", id=name, payload=payload)
                        await say(type="complete", id=name)
                    case {"type": "subscribe", "id": name} if self._completes:
                        await say(type="complete", id=name)
                    case {"type": "subscribe", "id": name, "payload": {"query": query}} if (
                        "externalId" in query
                    ):
                        await say(type="next", id=name, payload=ALERT)
                    case {"type": "ping", "payload": {"authorization": _}}:
                        self.renewals += 1
                        past = {"authorization": "accepted", "expiresAt": "2001-01-01T00:00:00Z"}
                        await say(type="pong", payload=past)
                        self.renewed.set()
                    case {"type": "ping"}:
                        await say(type="pong")
                    case {"type": "pong"}:
                        self._pongs.send_nowait(None)
                    case _:
                        pass
        except ConnectionClosed:
            pass  # the client has left

    async def look(self) -> None:
        """Ask the client, and wait for its answer."""
        assert self.socket is not None
        await self.socket.send_message('{"type": "ping"}')
        await self.pongs.receive()


@asynccontextmanager
async def followed(
    server: Server, command: Sequence[str], **variables: object
) -> AsyncIterator[Follower]:
    place = Place(HERE)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, server, "127.0.0.1", place.port, None)
        async with following(command, place.ws, **variables) as follower:
            yield follower
        nursery.cancel_scope.cancel()


async def test_what_passes_is_asked_for_again(command: Sequence[str]) -> None:
    server = Server(errors("SERVICE_UNAVAILABLE"), errors("TIMEOUT"))
    async with followed(server, command) as follower:
        assert (await follower.says("following"))["cursor"] == "x:1"
        assert await follower.stop() == 0


async def test_what_does_not_pass_ends_it_by_its_code(command: Sequence[str]) -> None:
    async with followed(Server(errors("FORBIDDEN")), command) as follower:
        assert await follower.ended() == 1
        assert (await follower.says("gave up"))["code"] == "FORBIDDEN"


async def test_a_stream_that_is_completed_ends_it(command: Sequence[str]) -> None:
    async with followed(Server(completes=True), command) as follower:
        assert await follower.ended() == 1
        assert "completed" in (await follower.says("gave up"))["reason"]


async def test_it_ends_where_its_events_cannot_be_written(command: Sequence[str]) -> None:
    """What fails with the same event again and again is no loss of the connection."""
    place = Place(HERE)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve_websocket, Server(), "127.0.0.1", place.port, None)
        with trio.fail_after(PATIENCE), Path("/dev/full").open("wb") as full:
            done = await trio.run_process(
                list(command),
                stdout=full,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"WS_URL": place.ws},
                check=False,
            )
        assert done.returncode == 1
        nursery.cancel_scope.cancel()


async def test_a_token_at_its_end_is_not_offered_again_and_again(
    command: Sequence[str], tmp_path: Path
) -> None:
    """As where the clock of the client is ahead of the server's."""
    token = Token(tmp_path / "token")
    token.give(1)
    server = Server()
    async with followed(server, command, AUTH_TOKEN_FILE=token.path) as follower:
        await follower.says("token renewed")
        for _ in range(LOOKS):
            await server.look()
        assert server.renewals == 1
        assert await follower.stop() == 0
