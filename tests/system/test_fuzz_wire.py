"""Thousands of bad messages, frames and handshakes on real sockets: the server stays as it was.

Each is made from its number and a seed (``LIM_TEST_FUZZ_SEED``); a failure tells both.
"""

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio

from system.bad_frames import bad_frame
from system.bad_handshakes import client_hello, half_handshake, half_http_2
from system.bad_messages import bad_message, seed
from system.client import PATIENCE
from system.fire import each, under_fire
from system.wires import Carrier, Ended, Talk, byte_stream, frame, opened_wire

pytestmark = pytest.mark.slow

INIT = frame(1, b'{"type":"connection_init"}')
PER_CONNECTION = 40
MESSAGE_CODES = {1000, 1002, 1007, 1009, 4400, 4401, 4409, 4429}
SAID = {"connection_ack", "next", "error", "complete", "ping", "pong"}


def check_text(text: str) -> dict[str, Any]:
    """What the server says must be of the protocol, and never its own mistake."""
    message: dict[str, Any] = json.loads(text)
    assert message["type"] in SAID
    errors = message["payload"] if message["type"] == "error" else []
    if message["type"] == "next":
        errors = message["payload"].get("errors", [])
    for error in errors:
        assert error["extensions"]["code"] != "INTERNAL_SERVER_ERROR", message
    return message


async def hears(talk: Talk, payload: object) -> bool:
    """Whether the pong comes; False where the server closes before it."""
    with suppress(Ended):
        while True:
            said = check_text(await talk.text())
            if said["type"] == "pong" and said.get("payload") == payload:
                return True
    return False


@pytest.mark.parametrize(("name", "count"), [("cleartext", 16_000), ("TLS", 4_000)])
async def test_messages(tmp_path: Path, name: str, count: int) -> None:
    async with under_fire(tmp_path, name) as (target, hear):

        async def talk(numbers: Iterator[int]) -> None:
            number = next(numbers, None)
            if number is None:
                return
            async with opened_wire(target.server.place, next(target.carriers)) as wire:
                talk = Talk(wire)
                if number % 8:
                    await talk.send(INIT)
                for _ in range(PER_CONNECTION):
                    opcode, data = bad_message(number)
                    ping = {"type": "ping", "payload": {"fuzz": number}}
                    await talk.send(frame(opcode, data) + frame(1, json.dumps(ping).encode()))
                    if not await hears(talk, ping["payload"]):
                        target.told[str(talk.code)] += 1
                        assert talk.code in MESSAGE_CODES
                        return
                    target.told["survived"] += 1
                    number = next(numbers, None)
                    if number is None:
                        return

        await each(count, hear, talk)
        assert sum(target.told.values()) == count


@pytest.mark.parametrize(("name", "count"), [("cleartext", 4_000), ("TLS", 1_000)])
async def test_frames(tmp_path: Path, name: str, count: int) -> None:
    async with under_fire(tmp_path, name) as (target, hear):

        async def break_off(numbers: Iterator[int]) -> None:
            number = next(numbers, None)
            if number is None:
                return
            bad = bad_frame(number)
            async with opened_wire(target.server.place, next(target.carriers)) as wire:
                talk = Talk(wire)
                if number % 2:
                    await talk.send(INIT)
                await talk.send(bad.data)
                if bad.codes:
                    code = await talk.end()
                    target.told[f"{bad.what}: {code}"] += 1
                    assert code in bad.codes, f"{bad.what}: {code}"
                else:
                    target.told[bad.what] += 1

        await each(count, hear, break_off)


async def status(stream: "trio.SocketStream | trio.SSLStream[trio.SocketStream]") -> int | None:
    """The status of an answer of HTTP/1.1; None where there is none."""
    got = b""
    with suppress(trio.BrokenResourceError), trio.fail_after(PATIENCE):
        while b"\r\n" not in got and (data := await stream.receive_some()):
            got += data
    if not got:
        return None
    version, code, *_ = got.split()
    assert version == b"HTTP/1.1", got
    return int(code)


@pytest.mark.parametrize(("name", "count"), [("cleartext", 700), ("TLS", 300)])
async def test_half_handshakes(tmp_path: Path, name: str, count: int) -> None:
    abandoned = AsyncExitStack()
    async with under_fire(tmp_path, name) as (target, hear), abandoned:
        place = target.server.place

        async def knock(numbers: Iterator[int]) -> None:
            number = next(numbers, None)
            if number is None:
                return
            dice = Random(f"knock {seed} {number}")
            carrier = next(target.carriers)
            if place.tls is not None and dice.random() < 0.3:
                await half_of_tls(dice)
            elif carrier is Carrier.HTTP_2:
                await half_of_http_2(dice)
            else:
                await half_of_http_1(number, dice)

        async def half_of_tls(dice: Random) -> None:
            target.told["half of TLS"] += 1
            hello = client_hello()
            data = dice.choice(
                [
                    hello[: dice.randrange(len(hello))],
                    b"GET / HTTP/1.1\r\n\r\n",
                    dice.randbytes(300),
                ]
            )
            async with await trio.open_tcp_stream("127.0.0.1", place.port) as stream:
                await stream.send_all(data)

        async def half_of_http_2(dice: Random) -> None:
            kind, data = half_http_2(dice)
            target.told[kind] += 1
            async with byte_stream(place, Carrier.HTTP_2) as stream:
                await stream.send_all(data)
                if dice.random() < 0.5:
                    with suppress(trio.BrokenResourceError), trio.fail_after(PATIENCE):
                        await stream.receive_some()

        async def half_of_http_1(number: int, dice: Random) -> None:
            half = half_handshake(number)
            stack = AsyncExitStack()
            stream = await stack.enter_async_context(byte_stream(place))
            if not half.statuses and not half.leaves and number % 4 == 0:
                target.told["abandoned"] += 1
                abandoned.push_async_exit(stack)
            async with stack:
                with suppress(trio.BrokenResourceError):
                    for piece in half.pieces:
                        await stream.send_all(piece)
                if half.leaves:
                    target.told["left"] += 1
                    return
                if half.statuses:
                    code = await status(stream)
                    target.told[f"whole: {code}"] += 1
                    # Of what is too large the rest may come after the server has gone.
                    assert code in (*half.statuses, None if half.large else 400), half.what
                elif isinstance(stream, trio.SocketStream):
                    with suppress(trio.BrokenResourceError):
                        await stream.send_eof()
                    code = await status(stream)
                    target.told[f"truncated: {code}"] += 1
                    assert code in (400, None)

        await each(count, hear, knock)
