"""The bench measures the same work everywhere: every peer builds from its lock file, and delivers
each event once, in order, to whom it is for, in frames like ours."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from struct import pack, unpack

import pytest

from load import rivals
from load.absence import measure_absence
from load.client import ALERT, PEER_QUERY, QUERY, Client, build, driving
from load.measure import FAULTS
from load.pypeers import HANDSHAKE
from load.rivals import RIVALS, Rival
from load.scenarios import Connect, Run, Scenario
from load.server import Server, serving, serving_rival

pytestmark = [pytest.mark.slow, pytest.mark.component("cc")]

_FIELDS = {"id", "title", "severity", "state", "source", "createdAt"}
_PEERS = [
    pytest.param(rival, marks=[pytest.mark.component(name) for name in rival.needs], id=rival.key)
    for rival in RIVALS
]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The compiled load client."""
    return build(tmp_path, "c")


@pytest.fixture
def servers(tmp_path: Path, rival: Rival) -> Iterator[tuple[Server, Server]]:
    """Ours and a peer, which is built unless it stands."""
    rivals.build(rival, print)
    with ExitStack() as life:
        ours = life.enter_context(serving(tmp_path))
        yield ours, life.enter_context(serving_rival(rival))


class _Subscriber:
    """Speaks as the load client does: one key, and masks of zero, which the C loop relies on."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(HANDSHAKE.format(path=path, port=port).encode())
        while self._file.readline() != b"\r\n":
            pass

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, **message: object) -> None:
        data = json.dumps(message, separators=(",", ":")).encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + pack("!H", len(data))
        self._socket.sendall(b"\x81" + size + bytes(4) + data)

    def receive(self) -> str:
        first, size = self._file.read(2)
        if size == 126:
            (size,) = unpack("!H", self._file.read(2))
        assert first == 0x81
        return self._file.read(size).decode()


def _frame(server: Server, query: str) -> str:
    """The first event that a subscriber gets, as its text."""
    query, alert = (
        text.replace("@G@", "0").replace("@T@", "bench:1:0:0:1234567890123456")
        for text in (query, json.dumps(ALERT, separators=(",", ":")))
    )
    with (
        closing(_Subscriber(server.port, server.ws_path)) as subscriber,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as sender,
    ):
        subscriber.send(type="connection_init")
        assert json.loads(subscriber.receive())["type"] == "connection_ack"
        subscriber.send(id="1", type="subscribe", payload={"query": query})
        subscriber.send(type="ping")
        assert json.loads(subscriber.receive())["type"] == "pong"
        sender.request("POST", server.post_path, alert, {"Content-Type": "application/json"})
        answer = sender.getresponse()
        assert answer.status == 202, answer.read()
        return subscriber.receive()


@pytest.mark.parametrize("rival", _PEERS)
def test_a_peer_does_the_same_work(
    servers: tuple[Server, Server], rival: Rival, client: Client
) -> None:
    ours, theirs = servers
    frames = [_frame(ours, QUERY), _frame(theirs, PEER_QUERY)]
    events = [json.loads(frame)["payload"]["data"]["newIncidents"] for frame in frames]
    assert set(events[0]) == _FIELDS
    assert set(events[1]) == {*_FIELDS, "cursor"}
    for name in ("title", "severity", "state", "source"):
        assert events[0][name] == events[1][name]
    # Our extension has a few more bytes to its name.
    assert len(frames[1]) == pytest.approx(len(frames[0]), rel=0.1)
    assert rival.key == rivals.LIMIT or rivals.versions(rival)


@pytest.mark.parametrize("rival", _PEERS)
@pytest.mark.parametrize("run", [Run(requests=40, senders=3), Run(requests=8, batch=10, senders=2)])
def test_a_peer_delivers_each_event_once_to_whom_it_is_for(
    rival: Rival, run: Run, client: Client
) -> None:
    rivals.build(rival, print)
    with serving_rival(rival) as server, driving(client, server) as load:
        opened = load.connect(Connect(count=24, groups=4))
        ran = load.run(run)
        load.close()
    assert opened["connected"] == 24
    assert {name: ran[name] for name in FAULTS if ran.get(name)} == {}
    assert ran["acked"] == run.requests * run.batch
    assert ran["deliveries"] == ran["acked"] * 6
    assert ran["accepted"]["count"] == ran["deliveries"]


def test_those_that_do_not_read_get_everything_later(client: Client, tmp_path: Path) -> None:
    scenario = Scenario(
        key="slow",
        tables=("slow",),
        title="",
        connect=Connect(count=20, groups=2),
        run=Run(requests=20, senders=2),
        stalled=4,
    )
    figures = measure_absence(scenario, client, tmp_path, print).figures
    assert {name: figures[name] for name in FAULTS if figures[name]} == {}
    assert figures["deliveries"] == 20 * 8


def test_those_that_come_back_with_their_cursors_get_what_they_missed(
    client: Client, tmp_path: Path
) -> None:
    scenario = Scenario(
        key="herd",
        tables=("herd",),
        title="",
        connect=Connect(count=20),
        run=Run(requests=1, batch=30),
        missed=30,
    )
    figures = measure_absence(scenario, client, tmp_path, print).figures
    assert {name: figures[name] for name in FAULTS if figures[name]} == {}
    assert figures["deliveries"] == 20 * 30
