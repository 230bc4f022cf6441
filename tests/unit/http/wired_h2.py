"""One connection of HTTP/2, without a socket: bytes in, bytes out, and a small application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import hpack
import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hyperframe.frame import (
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from wsproto.frame_protocol import FrameProtocol

from incident_manager.http.h2_frames import PREFACE
from incident_manager.http.hypercorn_h2 import GuardedH2
from incident_manager.http.transport import Guard, install

__all__ = ["GET", "POST", "TIMEOUT", "WEBSOCKET", "Application", "Wired", "message", "wired"]

GET = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "localhost"))
POST = ((":method", "POST"), *GET[1:])
WEBSOCKET = (
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    *GET[1:],
    ("sec-websocket-version", "13"),
)
TIMEOUT = 30.0


class Application:
    """Answers 200; but what is posted to it, it reads when it is let, and a WebSocket likewise."""

    def __init__(self) -> None:
        self.guard = Guard(TIMEOUT)
        self.go = trio.Event()
        self.heard: list[dict[str, Any]] = []
        self.running = 0
        self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._serve(scope, receive, send)
        finally:
            self.running -= 1

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        if scope["type"] == "websocket" or scope["method"] == "POST":
            await self.go.wait()
            while True:
                message = await receive()
                self.heard.append(message)
                if message["type"].endswith("disconnect"):
                    return
                if scope["type"] == "http" and not message["more_body"]:
                    break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        size = int(scope["query_string"] or 0)
        await send({"type": "http.response.body", "body": bytes(size)})


class Wired:
    """The connection and what it has sent."""

    def __init__(self, application: Application, group: TaskGroup, config: Config) -> None:
        self.application = application
        self.context = WorkerContext(None)
        self.protocol = GuardedH2(
            ASGIWrapper(application),  # type: ignore[arg-type]
            config,
            self.context,
            group,
            ConnectionState({}),
            False,
            ("127.0.0.1", 1),
            ("127.0.0.1", 2),
            self._send,
        )
        self.encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._out = b""
        self.frames: list[Frame] = []
        self.status: dict[int, str] = {}
        self.idle: bool | None = None
        self.over = False

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            self._out += event.data
        elif isinstance(event, Updated):
            self.idle = event.idle
        else:
            self.over = True
            await self.protocol.handle(Closed())

    def headers(self, stream_id: int, fields: Any = GET, *, end: bool = True) -> Frame:
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        return HeadersFrame(stream_id, self.encoder.encode(fields), flags=flags)

    async def take(self, *frames: Frame | bytes) -> None:
        """Have the connection read frames, in one piece, and do all it can."""
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        if not self.protocol.closed:
            await self.protocol.handle(RawData(data=data))
        await self.settle()

    async def settle(self) -> None:
        """Let everything be done that can be, and look at what was sent."""
        await trio.testing.wait_all_tasks_blocked()
        while len(self._out) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._out[:9]))
            frame.parse_body(memoryview(self._out[9 : 9 + length]))
            self._out = self._out[9 + length :]
            self.frames.append(frame)
            if isinstance(frame, HeadersFrame):
                fields = dict(self._decoder.decode(frame.data))
                self.status[frame.stream_id] = str(fields[":status"])

    def sent(self, kind: type[Frame], stream_id: int | None = None) -> list[Any]:
        """The frames of a kind so far, of a stream or of all."""
        return [
            frame
            for frame in self.frames
            if isinstance(frame, kind) and stream_id in (None, frame.stream_id)
        ]

    def resets(self) -> dict[int, int]:
        return {frame.stream_id: frame.error_code for frame in self.sent(RstStreamFrame)}

    def goaways(self) -> list[int]:
        return [frame.error_code for frame in self.sent(GoAwayFrame)]

    def opened(self, stream_id: int) -> int:
        """The bytes by which the window of a stream, or of the connection (0), was opened."""
        frames = self.sent(WindowUpdateFrame, stream_id)
        return sum(frame.window_increment for frame in frames)


@asynccontextmanager
async def wired(**configured: int) -> AsyncIterator[Wired]:
    """A connection whose client has sent its preface. At the end every task of it must end."""
    install()
    config = Config()
    for name, value in configured.items():
        setattr(config, name, value)
    async with TaskGroup() as group:
        connection = Wired(Application(), group, config)
        await connection.protocol.initiate()
        await connection.take(PREFACE, SettingsFrame(0, {}))
        yield connection
        connection.application.go.set()
        await connection.protocol.handle(Closed())
    assert connection.application.running == 0


def message(text: str) -> bytes:
    """A client's text frame over HTTP/2, masked."""
    frames = FrameProtocol(client=True, extensions=[])
    return bytes(frames.send_data(text, fin=True))
