"""The connections of the load client in Python: subscribers, senders, and the tally of a run."""

import re
import selectors
import socket
import sys
import time
from abc import ABC, abstractmethod
from datetime import datetime
from typing import NoReturn, Protocol

from load.histogram import Histogram

__all__ = ["HANDSHAKE", "Peer", "Sender", "Subscriber", "Tally", "World", "die"]

_MARK = re.compile(rb'"bench:(\d+):(\d+):(\d+):(\d+)"')
_CURSOR = re.compile(rb'"cursor":\s*"[^"]*:(\d+)"')
_CREATED = re.compile(rb'"createdAt":\s*"([^"]+)"')
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


def die(message: str) -> NoReturn:
    print(f"pyclient: {message}", file=sys.stderr)
    sys.exit(1)


class Tally:
    """What one run has sent and got."""

    def __init__(self, number: int, groups: int) -> None:
        names = ("events", "acked", "failed", "deliveries", "repeated", "disordered", "foreign")
        self.number = number
        self.counts = dict.fromkeys(names, 0)
        self.issued = [0] * groups
        self.acked = [0] * groups
        self.expected = self.in_flight = self.first = self.last = self.last_ack = 0
        self.delivery, self.accepted, self.post = Histogram(), Histogram(), Histogram()
        self.round, self.fanout = Histogram(), Histogram()

    @property
    def quiet(self) -> bool:
        """Everything sent has been answered and delivered."""
        return not self.in_flight and self.counts["deliveries"] >= self.expected

    def end_round(self, began: int) -> None:
        self.round.record(max(self.last, self.last_ack) - began)
        if self.last > self.first:
            self.fanout.record(self.last - self.first)
        self.first = 0


class World(Protocol):
    """What the connections share."""

    port: int
    ws_path: str
    subscribe: str
    selector: selectors.BaseSelector
    cursors: bool
    dropped: int
    live: set["Subscriber"]
    opening: Histogram
    sizes: list[int]
    run: Tally

    def complain(self, what: str, data: bytes) -> None:
        """Count a fault of the protocol; the first few are said."""


class Peer(ABC):
    """A socket and what of its input is not a whole message yet."""

    def __init__(self, loop: World) -> None:
        self.loop = loop
        self.input = b""
        self.open()

    def open(self) -> None:
        self.started = time.monotonic_ns()
        self.sock = socket.create_connection(("127.0.0.1", self.loop.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.selector.register(self.sock, selectors.EVENT_READ, self)

    def drop(self) -> None:
        self.loop.selector.unregister(self.sock)
        self.sock.close()

    def readable(self) -> None:
        try:
            data = self.sock.recv(1 << 18)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended()
            return
        self.input = self.consume(self.input + data, time.monotonic_ns())

    @abstractmethod
    def consume(self, data: bytes, now: int) -> bytes: ...

    @abstractmethod
    def ended(self) -> None: ...


class Subscriber(Peer):
    """One WebSocket with one subscription."""

    def __init__(self, loop: World, group: int) -> None:
        self.group = group
        self.stage = "upgrading"
        self.offset = 0
        self.seen: set[int] = set()
        super().__init__(loop)
        self.sock.sendall(HANDSHAKE.format(path=loop.ws_path, port=loop.port).encode())

    def send(self, opcode: int, data: bytes) -> None:
        length = len(data)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        self.sock.sendall(bytes([0x80 | opcode]) + size + b"\0\0\0\0" + data)

    def ended(self) -> None:
        self.loop.dropped += 1
        self.loop.complain("a connection ended", b"")
        self.stage = "gone"
        self.loop.live.discard(self)
        self.drop()

    def consume(self, data: bytes, now: int) -> bytes:
        if self.stage == "upgrading":
            head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                return head
            if not head.startswith(b"HTTP/1.1 101"):
                die(f"the server refused a WebSocket: {head[:200]!r}")
            self.send(1, b'{"type":"connection_init"}')
            self.stage = "acking"
        at = 0
        while len(data) - at >= 2:
            opcode, length, head_size = data[at], data[at + 1] & 127, 2
            if length >= 126:
                head_size = 4 if length == 126 else 10
                length = int.from_bytes(data[at + 2 : at + head_size], "big")
            end_at = at + head_size + length
            if len(data) < end_at:
                break
            self.frame(opcode, data[at + head_size : end_at], now)
            at = end_at
        return data[at:]

    def frame(self, opcode: int, data: bytes, now: int) -> None:
        if opcode == 0x81:
            self.text(data, now)
        elif opcode == 0x89:
            self.send(10, data)
        elif opcode != 0x8A:
            self.loop.complain("closed by the server, or not a whole text", data)

    def text(self, data: bytes, now: int) -> None:
        mark = _MARK.search(data)
        if mark is not None:
            self.delivered(*map(int, mark.groups()), data=data, now=now)
        elif b'"connection_ack"' in data and self.stage == "acking":
            payload = self.loop.subscribe.replace("@G@", str(self.group))
            self.send(1, f'{{"id":"1","type":"subscribe","payload":{payload}}}'.encode())
            self.send(1, b'{"type":"ping"}')
            self.stage = "subscribing"
        elif b'"pong"' in data:
            if self.stage == "subscribing":
                self.stage = "live"
                self.loop.live.add(self)
                self.loop.opening.record(now - self.started)
        elif b'"ping"' in data:
            self.send(1, b'{"type":"pong"}')
        else:
            self.loop.complain("unexpected message", data)

    def delivered(
        self, run: int, group: int, seq: int, sent: int, *, data: bytes, now: int
    ) -> None:
        loop = self.loop
        if loop.cursors:
            found = _CURSOR.search(data)
            offset = int(found[1]) if found else 0
            loop.run.counts["disordered"] += offset <= self.offset
            self.offset = offset
        if run != loop.run.number or group != self.group:
            loop.run.counts["foreign"] += 1
        elif seq in self.seen:
            loop.run.counts["repeated"] += 1
        else:
            self.seen.add(seq)
            loop.run.counts["deliveries"] += 1
            loop.run.first = loop.run.first or now
            loop.run.last = now
            loop.run.delivery.record(now - sent)
            created = _CREATED.search(data)
            if created is not None:
                accepted = datetime.fromisoformat(created[1].decode()).timestamp()
                loop.run.accepted.record(max(0, time.time_ns() - int(accepted * 1e9)))


class Sender(Peer):
    """One keep-alive connection that POSTs alerts; ``groups`` are those of its request."""

    def __init__(self, loop: World) -> None:
        self.groups: list[int] = []
        super().__init__(loop)

    def ended(self) -> None:
        if self.groups:
            self.answered(b"")
        self.drop()
        self.open()

    def consume(self, data: bytes, now: int) -> bytes:
        head, end, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + end)
        if not end or length is None or len(body) < int(length[1]):
            return data
        self.answered(body if head.startswith(b"HTTP/1.1 20") else b"")
        if b"onnection: close" in head:
            self.drop()
            self.open()
        return b""

    def answered(self, body: bytes) -> None:
        run = self.loop.run
        if body.count(b'"ACCEPTED"') == len(self.groups):
            run.counts["acked"] += len(self.groups)
            for group in self.groups:
                run.acked[group] += 1
        else:
            self.loop.complain("not accepted", body)
            run.counts["failed"] += len(self.groups)
            run.expected -= sum(self.loop.sizes[group] for group in self.groups)
        run.last_ack = time.monotonic_ns()
        run.post.record(run.last_ack - self.started)
        run.in_flight -= 1
        self.groups = []
