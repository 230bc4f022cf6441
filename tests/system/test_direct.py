"""Alerts over one connection: whole ones are answered at once, others by Quart, and both alike."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import h11
import httpx
import pytest
import trio
import trio.testing
from attrs import frozen

from system.certificates import make
from system.client import PATIENCE
from system.harness import local
from system.rude import upgrade
from system.wires import byte_stream

ALERT = {"source": "s", "title": "t", "description": "d", "severity": "P3"}
GOOD = json.dumps(ALERT).encode()
JSON = ("Content-Type", "application/json")
LARGE = json.dumps({**ALERT, "description": "d" * 5000}).encode()
MADE_UP = re.compile(
    rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z|t=\d+|r=\d+"
)


@frozen
class Asked:
    """A request; ``path`` and headers without those of the body's length."""

    path: str = "/v1/alerts"
    headers: tuple[tuple[str, str], ...] = (JSON,)
    body: bytes = GOOD
    status: int = 202

    def head(self, *more: tuple[str, str]) -> h11.Request:
        hosts = [] if any(name == "Host" for name, _ in self.headers) else [("Host", "localhost")]
        headers = [*hosts, *self.headers, *more]
        return h11.Request(method="POST", target=self.path, headers=headers)

    @property
    def length(self) -> tuple[str, str]:
        return "Content-Length", str(len(self.body))


ASKED = {
    "an alert": Asked(),
    "a batch": Asked(body=json.dumps({"alerts": [ALERT, {}]}).encode()),
    "of Alertmanager": Asked(
        "/v1/alerts/alertmanager",
        body=b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"}}]}',
    ),
    "of Prometheus": Asked("/api/v2/alerts", body=b'[{"labels":{"alertname":"A"}}]', status=200),
    "with a query": Asked("/v1/alerts?x=1"),
    "nothing": Asked(body=b"", status=400),
    "no JSON": Asked(body=b"{", status=400),
    "no alert": Asked(body=b"{}", status=400),
    "no type": Asked(headers=(), status=415),
    "compressed": Asked(headers=(JSON, ("Content-Encoding", "gzip")), status=415),
    "another name": Asked(headers=(JSON, ("Host", "evil.example")), status=403),
    "a page of others": Asked(headers=(JSON, ("Origin", "https://evil.example")), status=403),
    "a key that is none": Asked(headers=(JSON, ("Idempotency-Key", "a b")), status=400),
    "too large": Asked(body=LARGE, status=413),
    "a proxy nobody trusts": Asked(headers=(JSON, ("X-Forwarded-For", "192.0.2.1"))),
}
HTTP_1_0 = b"POST /v1/alerts HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: "
CLOSE = b"1.1\r\nHost: localhost\r\nConnection: close\r\n"


async def whole(stream: trio.abc.Stream, asked: Asked) -> tuple[h11.Response, bytes]:
    """The answer to a request that is sent in one piece."""
    sent = h11.Connection(h11.CLIENT)
    data = sent.send(asked.head(asked.length))
    data += sent.send(h11.Data(data=asked.body)) + sent.send(h11.EndOfMessage())
    await stream.send_all(data)
    return await answer(stream, sent)


async def in_chunks(stream: trio.abc.Stream, asked: Asked) -> tuple[h11.Response, bytes]:
    """The answer to one whose length is not said."""
    sent = h11.Connection(h11.CLIENT)
    data = sent.send(asked.head(("Transfer-Encoding", "chunked")))
    if asked.body:
        data += sent.send(h11.Data(data=asked.body))
    await stream.send_all(data + sent.send(h11.EndOfMessage()))
    return await answer(stream, sent)


async def on_demand(stream: trio.abc.Stream, asked: Asked) -> tuple[h11.Response, bytes]:
    """The answer to one whose body is sent once it is asked for."""
    sent = h11.Connection(h11.CLIENT)
    await stream.send_all(sent.send(asked.head(asked.length, ("Expect", "100-continue"))))
    while isinstance(found := sent.next_event(), type) and found is h11.NEED_DATA:
        sent.receive_data(bytes(await stream.receive_some()))
    assert isinstance(found, h11.InformationalResponse)
    assert found.status_code == 100
    data = sent.send(h11.Data(data=asked.body)) if asked.body else b""
    await stream.send_all(data + sent.send(h11.EndOfMessage()))
    return await answer(stream, sent)


async def answer(
    stream: trio.abc.ReceiveStream, sent: h11.Connection
) -> tuple[h11.Response, bytes]:
    head, body = None, b""
    with trio.fail_after(PATIENCE):
        while True:
            event = sent.next_event()
            if event is h11.NEED_DATA:
                sent.receive_data(bytes(await stream.receive_some()))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None
                return head, body


def told(response: h11.Response, body: bytes) -> tuple[object, ...]:
    """An answer without what is made up for each; the order of headers is of no meaning."""
    headers = sorted((name, MADE_UP.sub(b"_", text)) for name, text in without_date(response))
    return response.status_code, headers, MADE_UP.sub(b"_", body)


def without_date(response: h11.Response) -> Iterable[tuple[bytes, bytes]]:
    return [(name, text) for name, text in response.headers if name != b"date"]


@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "TLS"])
async def test_however_it_comes_the_answer_is_the_same(tmp_path: Path, secure: bool) -> None:
    tls = make(tmp_path / "tls") if secure else None
    given = {"server__max_body_bytes": 4096, "limits__requests_per_minute": 1000}
    async with local(tmp_path, tls=tls, **given) as server:
        for name, asked in ASKED.items():
            answers = []
            # The first may begin an incident, which the others join.
            for way in (in_chunks, whole, in_chunks, on_demand):
                async with byte_stream(server.place) as stream:
                    answers.append(told(*await way(stream, asked)))
            assert answers[1] == answers[2] == answers[3], name
            assert answers[1][0] == asked.status, name


async def test_a_path_may_be_sent_with_its_host_before_it(tmp_path: Path) -> None:
    """A server must take it so (RFC 9112, section 3.2.2)."""
    page, key = ("Origin", "https://a.example"), ("Idempotency-Key", "k")
    answers = []
    async with local(tmp_path, server__cors_origins=page[1]) as server:
        for path in ("/v1/alerts", "http://localhost/v1/alerts"):
            for body in (GOOD, b"{}"):
                asked = Asked(path, (JSON, page) if body == b"{}" else (JSON, page, key), body)
                async with byte_stream(server.place) as stream:
                    answers.append(told(*await whole(stream, asked)))
    assert answers[1] == answers[3]
    assert answers[0][::2] == answers[2][::2]
    assert isinstance(answers[2][1], list)
    assert (b"idempotency-replayed", b"true") in answers[2][1]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://localhost/health/live", 200),
        ("http://localhost/graphql/stream", 400),
        ("http://[::1", 200),
        ("http://%E2%84%80/health/live", 200),
        ("health/live?x", 200),
        ("?x", 404),
        ("*", 404),
    ],
)
async def test_whatever_is_asked_for_has_an_answer(
    tmp_path: Path, target: str, status: int
) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        sent = h11.Connection(h11.CLIENT)
        request = h11.Request(method="GET", target=target, headers=[("Host", "localhost")])
        await stream.send_all(sent.send(request) + sent.send(h11.EndOfMessage()))
        head, _ = await answer(stream, sent)
    assert head.status_code == status


async def test_a_websocket_may_be_asked_for_so_too(tmp_path: Path) -> None:
    request = upgrade().replace(b"GET /", b"GET http://127.0.0.1/")
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(request)
        with trio.fail_after(PATIENCE):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")


async def test_a_connection_is_good_for_many(tmp_path: Path) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        for way in (whole, in_chunks, whole, on_demand, whole, whole):
            head, body = await way(stream, Asked())
            assert (head.status_code, json.loads(body)["incident_id"] is None) == (202, False)
        counted = server.gateway.counters.requests
        assert counted["POST", "/v1/alerts", 202] == 6


async def test_what_is_sent_before_its_turn_is_answered_in_order(tmp_path: Path) -> None:
    def request(path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    bodies = (GOOD, b"{}", GOOD, b"[", b"{")
    sent = [request("/v1/alerts", body) for body in bodies]
    sent.insert(2, b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(b"".join(sent))
        got = b""
        with trio.fail_after(PATIENCE):
            while got.count(b"HTTP/1.1 ") < 6 or not got.endswith(b"\n"):
                got += await stream.receive_some()
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"202", b"400", b"200", b"202", b"400", b"400"]


@pytest.mark.parametrize(
    "request_",
    [
        HTTP_1_0 + b"%d\r\n\r\n%b" % (len(GOOD), GOOD),
        HTTP_1_0.replace(b"1.0\r\n", CLOSE) + b"%d\r\n\r\n%b" % (len(GOOD), GOOD),
    ],
    ids=["HTTP/1.0", "close"],
)
async def test_who_wants_no_more_is_left_after_the_answer(tmp_path: Path, request_: bytes) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(request_)
        got = b""
        with trio.fail_after(PATIENCE):
            while data := await stream.receive_some():
                got += data
    assert got.startswith(b"HTTP/1.1 202 ")
    assert b"connection: close\r\n" in got.lower()


@pytest.mark.parametrize(
    "last", [HTTP_1_0, HTTP_1_0.replace(b"1.0\r\n", CLOSE)], ids=["HTTP/1.0", "close"]
)
async def test_nothing_stays_of_a_connection_that_has_ended(tmp_path: Path, last: bytes) -> None:
    async with local(tmp_path) as server:
        before = await tasks()
        async with byte_stream(server.place) as stream:
            await whole(stream, Asked())
            assert await tasks() > before
            await stream.send_all(last + b"%d\r\n\r\n%b" % (len(GOOD), GOOD))
            with trio.fail_after(PATIENCE):
                while await stream.receive_some():
                    pass
        with trio.fail_after(PATIENCE):
            while await tasks() > before:
                pass


async def tasks() -> int:
    """How many there are, where none has anything to do."""
    await trio.testing.wait_all_tasks_blocked()
    return trio.lowlevel.current_statistics().tasks_living


async def test_who_says_no_more_gets_the_answer(tmp_path: Path) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        assert isinstance(stream, trio.SocketStream)
        sent = h11.Connection(h11.CLIENT)
        asked = Asked()
        data = sent.send(asked.head(asked.length)) + sent.send(h11.Data(data=asked.body))
        await stream.send_all(data)
        await stream.send_eof()
        head, _ = await answer(stream, sent)
        assert head.status_code == 202


async def test_nothing_is_read_behind_two_lengths(tmp_path: Path) -> None:
    """Two Content-Lengths, or one and chunks, are how requests are smuggled (RFC 9112, 6.3)."""
    head = b"POST /v1/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for lengths in (
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
    ):
        async with local(tmp_path) as server, byte_stream(server.place) as stream:
            await stream.send_all(head + lengths + head)
            got = b""
            with trio.fail_after(PATIENCE):
                while data := await stream.receive_some():
                    got += data
        assert got.count(b"HTTP/1.1 ") == got.count(b"HTTP/1.1 400 ") == 1, lengths


async def test_at_the_end_an_idle_connection_ends_too(tmp_path: Path) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await whole(stream, Asked())
        server.gateway.drain()
        with trio.fail_after(PATIENCE):
            assert await stream.receive_some() == b""


async def test_over_http_2_it_is_the_same(tmp_path: Path) -> None:
    tls = make(tmp_path / "tls")
    async with local(tmp_path, tls=tls) as server:
        async with httpx.AsyncClient(verify=tls.trust(), http2=True) as client:
            reply = await client.post(f"{server.place.http}/v1/alerts", json=ALERT)
        async with byte_stream(server.place) as stream:
            head, _ = await whole(stream, Asked())
        assert (reply.status_code, reply.http_version) == (202, "HTTP/2")
        ours = {name.decode() for name, _ in without_date(head)}
        assert {name.lower() for name in reply.headers} - {"date"} == ours
