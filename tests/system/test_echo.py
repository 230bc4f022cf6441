"""The order of what a WebSocket is answered with, by an application that does nothing but echo."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from system import echo_app
from system.client import PATIENCE
from system.harness import Place, ServerProcess, run
from system.rude import masked, shaken
from system.wires import frame

COMMAND = (sys.executable, echo_app.__file__, "{port}")
CONTINUATION, TEXT, PING, CLOSE = 0, 1, 9, 8
PONG_OF_X = b"\x8a\x01x"


async def answer(place: Place, sent: bytes) -> bytes:
    """All that the server says to these bytes."""
    got = b""
    async with shaken(place) as (stream, _):
        await stream.send_all(sent)
        with trio.fail_after(PATIENCE):
            while data := await stream.receive_some():
                got += data
    return got


def said(text: str) -> bytes:
    """A server's text frame."""
    return bytes([0x81, len(text)]) + text.encode()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with run(tmp_path, command=COMMAND, ready_line="Running on") as running:
        yield running


async def test_what_came_before_a_mistake_is_answered_before_the_close(
    server: ServerProcess,
) -> None:
    got = await answer(server.place, masked("one") + masked("two") + frame(3))
    assert got.startswith(said("one") + said("two") + b"\x88")
    assert got[len(said("one") + said("two")) + 2 :][:2] == (1002).to_bytes(2)


async def test_a_ping_is_answered_before_the_message_that_ends_after_it(
    server: ServerProcess,
) -> None:
    parts = frame(TEXT, b"a", first=0) + frame(PING, b"x") + frame(CONTINUATION, b"b")
    normal = (1000).to_bytes(2)
    got = await answer(server.place, parts + frame(3))
    assert got.startswith(PONG_OF_X + said("ab"))
    assert (await answer(server.place, frame(CLOSE, normal))).startswith(b"\x88\x02" + normal)
