"""permessage-deflate, agreed with real clients and with those that mean ill."""

import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import trio
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.trio.client import connect
from websockets.typing import Subprotocol
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits

from system.browser.stage import Tab, stage
from system.client import PATIENCE, SUBMIT, Client, alert_input, opened
from system.doors import WAYS, Door, Way, knocked
from system.harness import LocalServer, local, run
from system.node import stock
from system.test_hostile import MIB, peak
from system.wires import Carrier, Talk, frame

USUAL = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
STREAM = "subscription { newIncidents { title description } }"
LONG = "The disk /var of the host is full. " * 20
QUERY = "{ incidents { edges { node { title description } } } }"
MOST = 4000  # bytes of a message


class Marked(PerMessageDeflate):
    """wsproto's own extension, which notes of every message whether it was compressed."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: list[bool] = []

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        if not opcode.iscontrol():
            self.marks.append(rsv.rsv1)
        return super().frame_inbound_header(proto, opcode, rsv, payload_length)


class Deflating(Talk):
    """Reads what is compressed, and remembers what was."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.talk.wire)
        self._extension = Marked()
        self._extension.finalize(door.headers["sec-websocket-extensions"])
        self._frames = FrameProtocol(client=True, extensions=[self._extension])

    async def say(self, kind: str, **fields: object) -> None:
        """Send a message, compressed."""
        text = json.dumps({"type": kind, **fields}).encode()
        await self.send(frame(1, deflated(text), first=0xC0))

    async def read(self) -> tuple[dict[str, Any], bool]:
        """The next message, and whether it was compressed."""
        message: dict[str, Any] = json.loads(await self.text())
        return message, self._extension.marks.pop(0)

    async def init(self) -> None:
        await self.say("connection_init")
        message, compressed = await self.read()
        assert (message["type"], compressed) == ("connection_ack", False)

    async def subscribe(self, name: str, query: str = STREAM, **payload: object) -> None:
        await self.say("subscribe", id=name, payload={"query": query, **payload})
        await self.say("ping")
        assert (await self.read())[0] == {"type": "pong"}


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def told(title: str, description: str = LONG) -> dict[str, Any]:
    return {"newIncidents": {"title": title, "description": description}}


def other(server: LocalServer) -> AbstractAsyncContextManager[Client]:
    """A client that offers no extension."""
    tls = server.place.tls
    return opened(server.ws, tls=None if tls is None else tls.trust())


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_large_is_compressed(tmp_path: Path, way: Way) -> None:
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), server__compression=True) as server,
        knocked(server.place, way.carrier, OFFER) as door,
        other(server) as plain,
    ):
        assert door.headers["sec-websocket-extensions"] == USUAL
        talk = Deflating(door)
        await talk.init()
        for each in ("a", "another id"):
            await talk.subscribe(each)
        name = await plain.subscribe(STREAM)
        before = server.gateway.counters.bytes_out
        await plain.submit("large", description=LONG)
        assert (await plain.next(name))["data"] == told("large")
        got = {}
        for _ in range(2):
            message, compressed = await talk.read()
            assert compressed
            got[message["id"]] = message["payload"]["data"]
        assert got == {each: told("large") for each in ("a", "another id")}
        # Three have got it, one of them as it is, who has got the answer to its alert, too.
        assert server.gateway.counters.bytes_out - before < 3 * len(LONG)

        await plain.submit("small", description="d")
        for _ in range(2):
            message, compressed = await talk.read()
            assert (message["payload"]["data"], compressed) == (told("small", "d"), False)

        await talk.say("subscribe", id="q", payload={"query": QUERY})
        message, compressed = await talk.read()
        assert compressed
        edges = message["payload"]["data"]["incidents"]["edges"]
        assert {edge["node"]["description"] for edge in edges} == {LONG, "d"}


@pytest.mark.parametrize("way", WAYS)
async def test_who_resumes_gets_what_was_missed_compressed(tmp_path: Path, way: Way) -> None:
    certificates = way.certificates(tmp_path)
    async with local(tmp_path, tls=certificates, server__compression=True) as server:
        async with other(server) as plain:
            name = await plain.subscribe(STREAM)
            for number in range(3):
                await plain.submit(str(number), description=LONG)
            cursor = (await plain.next(name))["extensions"]["cursor"]
        async with knocked(server.place, way.carrier, OFFER) as door:
            talk = Deflating(door)
            await talk.init()
            payload = {"query": STREAM, "extensions": {"cursor": cursor}}
            await talk.say("subscribe", id="r", payload=payload)
            for number, recovered in ((1, True), (2, None)):
                message, compressed = await talk.read()
                assert compressed
                assert message["payload"]["data"] == told(str(number))
                assert message["payload"]["extensions"].get("recovered") is recovered


@pytest.fixture
async def compressing(tmp_path: Path) -> AsyncIterator[LocalServer]:
    """A server that agrees to it."""
    async with local(tmp_path, server__compression=True, limits__message_bytes=MOST) as server:
        yield server


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", USUAL),
        ("permessage-deflate; server_max_window_bits=9", f"{USUAL}; server_max_window_bits=9"),
        ("permessage-deflate; server_max_window_bits=15", f"{USUAL}; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", USUAL),
        ("permessage-deflate; level=9", None),
        ("x-webkit-deflate-frame", None),
        ('permessage-deflate; x="', None),
    ],
)
async def test_an_offer_is_met_or_declined(
    compressing: LocalServer, offer: str, answer: str | None
) -> None:
    headers = {"Sec-WebSocket-Extensions": offer}
    async with knocked(compressing.place, Carrier.HTTP_1, headers) as door:
        assert door.open
        assert door.headers.get("sec-websocket-extensions") == answer
        await (door if answer is None else Deflating(door)).init()


def ping(size: int) -> bytes:
    """A ping of so many bytes, which says little."""
    head, tail = b'{"type":"ping","payload":{"x":"', b'"}}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


BAD: Mapping[str, tuple[bytes, int]] = {
    "too large": (frame(1, deflated(ping(MOST + 1)), first=0xC0), 1009),
    "a bomb": (frame(1, deflated(bytes(MIB)), first=0xC0), 1009),
    "a bomb that never ends": (frame(1, deflated(bytes(MIB)), first=0x40), 1009),
    "too large as it is": (frame(1, ping(MOST + 1)), 1009),
    "no deflate": (frame(1, b"{}{}{}{}", first=0xC0), 1007),
    "cut off": (frame(1, deflated(ping(MOST // 4))[:-3], first=0xC0), 1007),
    "no UTF-8": (frame(1, deflated(b"\xc3\x28"), first=0xC0), 1007),
    "a compressed ping": (frame(9, b"", first=0xC0), 1002),
    "another extension's bit": (frame(1, b"{}", first=0xA0), 1002),
    "said again": (frame(1, b"", first=0x40) + frame(0, b"", first=0xC0), 1002),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_inflated_is_what_counts(tmp_path: Path, way: Way) -> None:
    settings = {"server__compression": True, "limits__message_bytes": MOST}
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), **settings) as server,
        knocked(server.place, way.carrier, OFFER) as bystander,
    ):
        talk = Deflating(bystander)
        await talk.init()
        for what, (sent, code) in BAD.items():
            async with knocked(server.place, way.carrier, OFFER) as door:
                bad = Deflating(door)
                for each in (ping(MOST), ping(100)):
                    await bad.send(frame(1, deflated(each), first=0xC0))
                    assert (await bad.read())[0]["type"] == "pong", what
                await bad.send(sent)
                assert await bad.end() == code, what
            await talk.say("ping")
            assert (await talk.read())[0] == {"type": "pong"}


async def test_a_bomb_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    bomb = frame(1, deflated(bytes(100 * MIB)), first=0xC0)
    async with run(tmp_path, server__compression=True) as server:
        before = peak(server)
        for _ in range(20):
            async with knocked(server.place, Carrier.HTTP_1, OFFER) as door:
                await door.talk.send(bomb)
                assert await door.talk.end() == 1009
        assert peak(server) - before < 10 * MIB
        assert server.complaints() == []


def subscribe(name: str, query: str, variables: Mapping[str, object] | None = None) -> str:
    payload = {"query": query, "variables": variables}
    return json.dumps({"type": "subscribe", "id": name, "payload": payload})


async def test_websockets_of_python(compressing: LocalServer) -> None:
    narrow = ClientPerMessageDeflateFactory(server_max_window_bits=10)
    agreed = ["permessage-deflate"]
    for number, (compression, extensions) in enumerate([("deflate", None), (None, [narrow])]):
        with trio.fail_after(PATIENCE):
            async with connect(
                compressing.ws,
                subprotocols=[Subprotocol("graphql-transport-ws")],
                compression=compression,
                extensions=extensions,
            ) as socket:
                assert [each.name for each in socket.protocol.extensions] == agreed
                await socket.send('{"type":"connection_init"}')
                assert json.loads(await socket.recv())["type"] == "connection_ack"
                await socket.send(subscribe("s", STREAM))
                await socket.send('{"type":"ping"}')
                assert json.loads(await socket.recv()) == {"type": "pong"}
                alert = alert_input(f"alert {number}", description=LONG)
                await socket.send(subscribe("m", SUBMIT, {"input": alert}))
                while (got := json.loads(await socket.recv()))["id"] != "s":
                    pass
                assert got["payload"]["data"] == told(f"alert {number}")


@pytest.mark.component("node")
async def test_ws_of_node(compressing: LocalServer, clients: Path) -> None:
    async with stock(clients, compressing.ws) as client:
        assert (await client.event("connected"))["extensions"] == "permessage-deflate"
        await client.subscribe("s", STREAM)
        await client.submit("first")
        await client.submit("from Node", description=LONG)  # ws compresses what is over 1 KB
        payload = (await client.event("next", "s"))["result"]
        assert payload["data"]["newIncidents"]["title"] == "first"
        payload = (await client.event("next", "s"))["result"]
        assert payload["data"] == told("from Node")


TALK = """
({url, messages}) => new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'graphql-transport-ws');
    const got = [];
    socket.onopen = () => messages.forEach((each) => socket.send(JSON.stringify(each)));
    socket.onerror = reject;
    socket.onmessage = ({data}) => {
        got.push(JSON.parse(data));
        if (got.filter((each) => each.type === 'next').length === 2) {
            socket.close();
            resolve({got, extensions: socket.extensions});
        }
    };
})
"""


@pytest.mark.component("chromium")
async def test_chromium(compressing: LocalServer) -> None:
    alert = {"input": alert_input("from Chromium", description=LONG)}
    messages = [
        {"type": "connection_init"},
        {"type": "subscribe", "id": "s", "payload": {"query": STREAM}},
        {"type": "ping"},
        {"type": "subscribe", "id": "m", "payload": {"query": SUBMIT, "variables": alert}},
    ]

    def scene(tab: Tab) -> Any:
        return tab.page.evaluate(TALK, {"url": compressing.ws, "messages": messages})

    with stage() as browser:
        said = await browser.play(scene, f"{compressing.http}/")
    assert said["extensions"] == USUAL
    [streamed] = [each for each in said["got"] if each["type"] == "next" and each["id"] == "s"]
    assert streamed["payload"]["data"] == told("from Chromium")
