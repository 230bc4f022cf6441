"""A client of HTTP/2 of no manners, frame by frame."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import hpack
import trio
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, SettingsFrame

from system.client import PATIENCE
from system.harness import Place

__all__ = ["PREFACE", "RudeH2", "rude_h2", "websocket_headers"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_BATCH = 100  # frames in one write
_OVER = (trio.BrokenResourceError, trio.ClosedResourceError)

F = TypeVar("F", bound=Frame)
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Field = tuple[str, str]


def websocket_headers(path: str = "/graphql/ws") -> list[Field]:
    """Those of an extended CONNECT (RFC 8441)."""
    return [
        (":method", "CONNECT"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "127.0.0.1"),
        (":protocol", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "graphql-transport-ws"),
    ]


class RudeH2:
    """The socket of one connection, and what the server has said on it.

    ``counts`` has the frames that came by their type, ``frames`` those that ``next`` has not
    taken, ``error`` the code of the server's GOAWAY; ``over`` says that it has ended.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self.counts: Counter[str] = Counter()
        self.frames: list[Frame] = []
        self.fields: dict[int, dict[str, str]] = {}
        self.error: int | None = None
        self.over = False
        self._rest = b""

    async def send(self, *frames: Frame | bytes) -> bool:
        """Send frames; whether the connection took them."""
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        try:
            await self.stream.send_all(data)
        except _OVER:
            return False
        return True

    async def flood(self, frames: Iterable[Frame | bytes]) -> int:
        """Send frames until there are no more or the server has had enough, and read meanwhile
        what it answers; how many were sent.
        """
        sent = 0
        batch: list[Frame | bytes] = []
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_on)
                for frame in frames:
                    batch.append(frame)
                    if len(batch) < _BATCH:
                        continue
                    if self.over or not await self.send(*batch):
                        break
                    sent += len(batch)
                    batch = []
                if batch and not self.over and await self.send(*batch):
                    sent += len(batch)
                nursery.cancel_scope.cancel()
        return sent

    async def _read_on(self) -> None:
        while not self.over:
            await self.read()

    def headers(
        self, stream_id: int, fields: Iterable[Field] | str = "/health/live", *, end: bool = True
    ) -> HeadersFrame:
        """A frame of request headers: of these fields, or of a GET of a path."""
        if isinstance(fields, str):
            top = [(":method", "GET"), (":scheme", "http"), (":path", fields)]
            fields = [*top, (":authority", "127.0.0.1")]
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        return HeadersFrame(stream_id, self.encoder.encode(fields), flags=flags)

    async def look(self) -> bytes:
        """Read what there is, whatever it is."""
        try:
            data = bytes(await self.stream.receive_some(65536))
        except _OVER:
            data = b""
        self.over = self.over or not data
        return data

    async def read(self) -> None:
        """Read what there is; the frames of it are in ``frames``."""
        self._rest += await self.look()
        while len(self._rest) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._rest[:9]))
            if len(self._rest) < 9 + length:
                break
            frame.parse_body(memoryview(self._rest[9 : 9 + length]))
            self._rest = self._rest[9 + length :]
            self.counts[type(frame).__name__] += 1
            if isinstance(frame, GoAwayFrame):
                self.error = frame.error_code
            if isinstance(frame, HeadersFrame):
                fields = self.decoder.decode(frame.data)
                self.fields[frame.stream_id] = {str(name): str(value) for name, value in fields}
            if len(self.frames) < 1000:
                self.frames.append(frame)

    def taken(self, kind: type[F]) -> list[F]:
        """The frames of a kind that have come and that ``next`` has not passed."""
        found = [frame for frame in self.frames if isinstance(frame, kind)]
        self.frames = [frame for frame in self.frames if not isinstance(frame, kind)]
        return found

    async def next(self, kind: type[F], stream_id: int | None = None) -> F:
        """The next frame of a kind, of a stream or of any; the others stay."""
        with trio.fail_after(PATIENCE):
            while True:
                for place, frame in enumerate(self.frames):
                    if isinstance(frame, kind) and stream_id in (None, frame.stream_id):
                        del self.frames[place]
                        return frame
                assert not self.over, f"the connection has ended ({self.error})"
                await self.read()

    async def status(self, stream_id: int) -> str:
        """The status of the answer on a stream."""
        await self.next(HeadersFrame, stream_id)
        return self.fields[stream_id][":status"]

    async def data(self, stream_id: int) -> bytes:
        """The next bytes on a stream."""
        return bytes((await self.next(DataFrame, stream_id)).data)

    async def end(self) -> int | None:
        """Read until the server says GOAWAY, or ends the connection without; the GOAWAY's code."""
        with trio.fail_after(PATIENCE):
            while not self.over and not self.error:
                await self.read()
        return self.error


@asynccontextmanager
async def rude_h2(
    place: Place, *, settings: dict[int, int] | None = None, preface: bytes = PREFACE
) -> AsyncIterator[RudeH2]:
    """A connection with its preface sent and the server's settings read: by prior knowledge, or
    where the server has TLS, by ALPN.
    """
    stream: Stream = await trio.open_tcp_stream("127.0.0.1", place.port)
    if place.tls is not None:
        stream = trio.SSLStream(
            stream, place.tls.trust(["h2"]), server_hostname="127.0.0.1", https_compatible=True
        )
        await stream.do_handshake()
        assert stream.selected_alpn_protocol() == "h2"
    try:
        client = RudeH2(stream)
        await client.send(preface, SettingsFrame(0, settings or {}))
        if preface == PREFACE:
            await client.next(SettingsFrame)
        yield client
    finally:
        await trio.aclose_forcefully(stream)
