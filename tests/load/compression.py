"""What ``server.compression`` costs and saves: the same events to as many clients, twice.

``python tests/load/compression.py`` starts two fresh servers, one after the other, opens
WebSockets to each, sends in alerts of a few hundred bytes one at a time, the next when the last
client has got it, and prints what that took the server (CPU time) and the network (bytes).
"""

import json
import selectors
import socket
import sys
import tempfile
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path

import click
from attrs import frozen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load.server import Server, serving

_FIELDS = "id title description severity state source createdAt labels"
_QUERY = f"subscription {{ newIncidents {{ {_FIELDS} }} }}"
_DESCRIPTION = (
    "The disk /var on web-17.eu-central-1 is 96 % full and will be full in about 40 minutes at the "
    "rate of the last hour. Logs of the proxy take most of it. Runbook: rotate them by hand, then "
    "look at why logrotate has not run since Tuesday; page storage if it is above 98 %."
)
_LABELS = {"host": "web-17", "region": "eu-central-1", "team": "storage", "service": "proxy"}
_HANDSHAKE = (
    "GET /graphql/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
_JSON = {"Content-Type": "application/json"}
_TIME = 60.0  # seconds for anything


@frozen
class Taken:
    """Of one server: bytes resident for each connection, microseconds of CPU for an event and its
    deliveries, bytes that a client got for an event, and whether frames were compressed.
    """

    each: float
    cpu: float
    size: float
    compressed: bool


class _Listener:
    """A client that counts the frames that it is sent."""

    def __init__(self, port: int, number: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_TIME)
        self.socket.sendall(_HANDSHAKE.encode())
        self.got = b""
        self.size = 0
        self.compressed = False
        while b"\r\n\r\n" not in self.got:
            self._receive()
        self.got = self.got.partition(b"\r\n\r\n")[2]
        self._say(type="connection_init")
        self._next()
        # As stock clients have it: an id of 36 characters for each.
        name = f"{number:08}-0000-4000-8000-000000000000"
        self._say(type="subscribe", id=name, payload={"query": _QUERY})
        self._say(type="ping")
        while b'"pong"' not in self.got:
            self._receive()
        if self.count() != 1:
            raise RuntimeError("the subscription was refused")

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise RuntimeError("the server has closed")
        self.got += data

    def _say(self, **message: object) -> None:
        data = json.dumps(message).encode()
        head = bytes([0x81, 0xFE]) + len(data).to_bytes(2) if len(data) > 125 else None
        self.socket.sendall((head or bytes([0x81, 0x80 | len(data)])) + bytes(4) + data)

    def _next(self) -> None:
        while not self.count():
            self._receive()

    def read(self) -> int:
        """Read what is there; how many frames that completes."""
        self._receive()
        return self.count()

    def count(self) -> int:
        """Take the whole frames off what was got."""
        frames = 0
        while len(self.got) >= 2:
            size = self.got[1] + 2
            if size == 128:
                size = int.from_bytes(self.got[2:4]) + 4
            if len(self.got) < size:
                break
            self.compressed = bool(self.got[0] & 0x40)
            self.got = self.got[size:]
            self.size += size
            frames += 1
        return frames


def _deliver(server: Server, listeners: Sequence[_Listener], events: int, first: int) -> None:
    """Send in alerts, and wait for each until everybody has got it."""
    posts = HTTPConnection("127.0.0.1", server.port, timeout=_TIME)
    with selectors.DefaultSelector() as selector:
        for each in listeners:
            selector.register(each.socket, selectors.EVENT_READ, each)
        for number in range(first, first + events):
            alert = {
                "source": "prometheus",
                "title": f"DiskFull {number}",
                "description": _DESCRIPTION,
                "severity": "P2",
                "labels": _LABELS,
            }
            posts.request("POST", "/v1/alerts", json.dumps(alert), _JSON)
            answer = posts.getresponse()
            answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"the alert was answered {answer.status}")
            missing = len(listeners)
            while missing:
                ready = selector.select(_TIME)
                if not ready:
                    raise RuntimeError(f"{missing} have not got event {number}")
                missing -= sum(key.data.read() for key, _ in ready)
    posts.close()


def measure(connections: int, events: int, *, compression: bool) -> Taken:
    """Measure one server.

    Raises:
        RuntimeError: something was lost, or the server failed.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = Path(folder, "server.toml")
        # Without pings every frame is an event.
        config.write_text(
            f"[server]\nping_interval = 0\ncompression = {str(compression).lower()}\n"
        )
        with serving(Path(folder), settings=[("--config", str(config))]) as server:
            return _taken(server, connections, events)


def _taken(server: Server, connections: int, events: int) -> Taken:
    _deliver(server, [_Listener(server.port, 0)], 5, 0)
    before = server.usage().rss
    listeners = [_Listener(server.port, number) for number in range(connections)]
    after = server.usage().rss
    _deliver(server, listeners, 5, 5)
    sizes, start = sum(each.size for each in listeners), server.usage().cpu
    _deliver(server, listeners, events, 10)
    cpu = server.usage().cpu - start
    size = sum(each.size for each in listeners) - sizes
    compressed = all(each.compressed for each in listeners)
    for each in listeners:
        each.socket.close()
    return Taken(
        (after - before) / connections,
        cpu / events * 1e6,
        size / events / connections,
        compressed,
    )


@click.command()
@click.option("--connections", default=500, show_default=True)
@click.option("--events", default=300, show_default=True)
def main(connections: int, events: int) -> None:
    """Print what compression costs and saves."""
    click.echo(f"{connections:,} connections, {events:,} events, one at a time")
    click.echo(f"{'':>14}{'bytes each':>12}{'CPU/event':>12}{'CPU/delivery':>14}{'RSS each':>10}")
    for compression in (False, True):
        taken = measure(connections, events, compression=compression)
        if taken.compressed is not compression:
            raise RuntimeError("the frames are not as they were to be")
        name = "compressed" if compression else "as it is"
        click.echo(
            f"{name:>14}{taken.size:>12,.0f}{taken.cpu / 1e3:>9.2f} ms"
            f"{taken.cpu / connections:>11.1f} µs{taken.each / 1024:>7.1f} KB"
        )


if __name__ == "__main__":
    main()
