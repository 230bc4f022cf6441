"""GraphQL over server-sent events, with httpx, curl and the stock ``graphql-sse`` client."""

import json
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import trio
from hyperframe.frame import DataFrame, SettingsFrame

from incident_manager.http.auth import Role, issue_token
from system import certificates
from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.event_source import STREAM, EventParser, EventSource, ask, source
from system.harness import LocalServer, Place, local, run
from system.node import Stock, stock
from system.readers import dialled, trusting
from system.rude_h2 import rude_h2

TITLES = "subscription ($s: [Severity!]) { newIncidents(severities: $s) { title } }"
WHOLE = "subscription { newIncidents { title description } }"
SECRET = "a secret of tests that is long enough"
LARGE = "d" * 60_000


@asynccontextmanager
async def browsing(place: Place, *, http2: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    verify: Any = trusting(place)
    if http2 and place.tls is not None:
        verify = place.tls.trust(("h2", "http/1.1"))
    async with httpx.AsyncClient(
        base_url=place.http, http1=not http2, http2=http2, verify=verify, timeout=PATIENCE
    ) as web:
        yield web


@pytest.fixture
async def web(server: LocalServer) -> AsyncIterator[httpx.AsyncClient]:
    async with browsing(server.place) as client:
        yield client


async def submit(web: httpx.AsyncClient, title: str, **fields: object) -> None:
    headers = fields.pop("headers", None)
    answer = await web.post("/v1/alerts", json=alert_input(title, **fields), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 202, answer.text


async def only(server: LocalServer, count: int) -> None:
    """Wait until so many connections are there."""
    with trio.fail_after(PATIENCE):
        while len(server.gateway.connections) != count:
            await trio.lowlevel.checkpoint()


class TestStreams:
    @pytest.mark.parametrize("tls", [False, True], ids=["cleartext", "tls"])
    @pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
    async def test_the_same_as_over_a_websocket(
        self, tmp_path: Path, tls: bool, http2: bool
    ) -> None:
        made = certificates.make(tmp_path / "tls") if tls else None
        async with (
            local(tmp_path, tls=made) as server,
            browsing(server.place, http2=http2) as web,
            # Where three wait for one connection, httpcore may leave what one of them has got.
            browsing(server.place, http2=http2) as sender,
            opened(server.ws, tls=None if made is None else made.trust()) as socket,
            source(web, TITLES, variables={"s": ["P0"]}) as posted,
            source(web, TITLES, variables={"s": ["P0"]}, get=True) as got,
        ):
            name = await socket.subscribe(TITLES, {"s": ["P0"]})
            assert posted.response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            await submit(sender, "mild", severity="P4")
            for number in range(3):
                await submit(sender, f"bad \u2028\r\n {number}", severity="P0")
            for _ in range(3):
                payload = await socket.next(name)
                for stream in (posted, got):
                    event = await stream.event()
                    assert (event.type, event.json) == ("next", payload)
                    assert event.id == payload["extensions"]["cursor"]
            assert got.parser.retry == "1000"
            assert posted.parser.retry is None  # old clients of graphql-sse fail at it

    async def test_what_has_one_result_is_complete(self, web: httpx.AsyncClient) -> None:
        for get in (False, True):
            first, last = await ask(web, "{ health { status } }", get=get)
            assert first.json == {"data": {"health": {"status": "HEALTHY"}}}
            assert (last.type, last.data) == ("complete", "")
        first, last = await ask(web, SUBMIT, variables={"input": alert_input("one")})
        assert first.json["data"]["submitAlert"]["status"] == "ACCEPTED"
        assert last.type == "complete"

    async def test_it_resumes_from_the_last_event(self, web: httpx.AsyncClient) -> None:
        async with source(web, TITLES) as stream:
            await submit(web, "one")
            place = (await stream.event()).id
        await submit(web, "two")
        await submit(web, "three")
        async with source(web, TITLES, last=place) as stream:
            first = await stream.event()
            assert first.json["extensions"] == {"cursor": first.id, "recovered": True}
            assert await stream.title() == "three"
        # The header is what a client comes back with, the body is what it asked for at first.
        async with source(web, TITLES, cursor=place, last=first.id) as stream:
            assert await stream.title() == "three"
        async with source(web, TITLES, cursor=place, get=True) as stream:
            assert await stream.title() == "two"

    async def test_a_gap_is_told_at_once_and_with_the_next(self, web: httpx.AsyncClient) -> None:
        await submit(web, "old")
        lost = f"{'0' * 32}:7"
        async with source(web, TITLES, last=lost) as stream:
            told = json.loads(await stream.comment())
            assert (told["recovered"], told["gap"]["from"]) == (False, lost)
            extensions = (await stream.next())["extensions"]
            assert (extensions["recovered"], extensions["gap"]) == (False, told["gap"])

    async def test_a_browser_is_told_how_far_it_has_come(self, tmp_path: Path) -> None:
        """What its filter keeps from it must not make it fall behind."""
        async with (
            local(tmp_path, server__ping_interval=0.05) as server,
            browsing(server.place) as web,
        ):
            async with source(web, TITLES, variables={"s": ["P0"]}, get=True) as stream:
                await submit(web, "mild", severity="P4")
                now = (await ask(web, "{ cursor }"))[0].json["data"]["cursor"]
                while stream.parser.last_id != now:
                    assert await stream.more()
            async with source(web, TITLES, last=stream.parser.last_id) as stream:
                await submit(web, "two")
                assert await stream.title() == "two"

    async def test_it_says_that_it_is_there(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, server__ping_interval=0.05) as server,
            browsing(server.place) as web,
            source(web, TITLES) as stream,
        ):
            while len(stream.parser.comments) < 4:
                assert await stream.more()
            assert not stream.kept
            await submit(web, "one")
            assert await stream.title() == "one"


class TestMistakes:
    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("subscription {", "GRAPHQL_PARSE_FAILED"),
            ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            (
                "subscription { incidentUpdates(heartbeatSeconds: 0) { updateType } }",
                "BAD_USER_INPUT",
            ),
        ],
    )
    async def test_of_an_operation_are_streamed(
        self, web: httpx.AsyncClient, query: str, code: str
    ) -> None:
        for get in (False, True):
            first, last = await ask(web, query, get=get)
            [error] = first.json["errors"]
            assert (error["extensions"]["code"], last.type) == (code, "complete")

    async def test_a_cursor_that_is_none_is_named(self, web: httpx.AsyncClient) -> None:
        for given, field in (
            ({"cursor": "x"}, "extensions.cursor"),
            ({"last": "x"}, "Last-Event-ID"),
        ):
            first, _ = await ask(web, TITLES, **given)
            [error] = first.json["errors"]
            assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}

    async def test_of_a_request_are_answered(self, web: httpx.AsyncClient) -> None:
        body = {"json": {"query": TITLES}}
        mutation = {
            "query": 'mutation { closeIncident(id: "01a20605-a7ca-7cd5-8730-f2bf03a0ffaf") { id } }'
        }
        cases: list[tuple[str, dict[str, Any], int]] = [
            ("POST", {**body, "headers": {"Accept": "application/json"}}, 406),
            ("POST", {**body, "headers": {"Accept": "text/event-stream;q=0"}}, 406),
            ("POST", {"content": b"query"}, 415),
            ("POST", {"json": {"query": 7}}, 400),
            ("POST", {"json": [body]}, 400),
            ("GET", {}, 400),
            ("GET", {"params": mutation}, 405),
            ("PUT", {}, 405),
            ("DELETE", {}, 405),
            ("POST", {**body, "headers": {"Origin": "https://elsewhere.example"}}, 403),
            ("GET", {"params": body["json"], "headers": {"Sec-Fetch-Site": "cross-site"}}, 403),
            ("POST", {**body, "headers": {"Host": "rebound.example"}}, 403),
        ]
        for method, given, status in cases:
            answer = await web.request(method, STREAM, **given)
            assert (answer.status_code, method) == (status, method), answer.text
            assert answer.json()["errors"]

    async def test_head_begins_nothing(self, server: LocalServer, web: httpx.AsyncClient) -> None:
        answer = await web.head(STREAM, params={"query": TITLES})
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert not server.gateway.connections

    async def test_who_says_nothing_of_types_gets_a_stream(self, web: httpx.AsyncClient) -> None:
        async with source(web, TITLES, headers={"Accept": "*/*"}) as stream:
            await submit(web, "one")
            assert await stream.title() == "one"


class TestTrust:
    async def test_credentials_are_asked_for(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, auth__jwt_secret=SECRET) as server,
            browsing(server.place) as web,
        ):
            for headers, status in (({}, 401), ({"Authorization": "Bearer x"}, 403)):
                answer = await web.post(STREAM, json={"query": TITLES}, headers=headers)
                assert answer.status_code == status
            token = issue_token(server.gateway.settings, Role.VIEWER, "vic", 60.0)
            headers = {"Authorization": f"Bearer {token}"}
            async with source(web, TITLES, headers=headers):
                [held] = server.gateway.connections
                assert held.statistics()["principal"] == "vic"
            given = {"variables": {"input": alert_input("one")}, "headers": headers}
            first, _ = await ask(web, SUBMIT, **given)
            assert first.json["errors"][0]["extensions"]["code"] == "FORBIDDEN"

    async def test_it_ends_with_its_token(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, auth__jwt_secret=SECRET) as server,
            browsing(server.place) as web,
        ):
            token = issue_token(server.gateway.settings, Role.VIEWER, "vic", 1.5)
            async with source(web, TITLES, headers={"Authorization": f"Bearer {token}"}) as stream:
                assert await stream.rest() == []  # no complete: it is to come back
            assert server.gateway.counters.evictions.total() == 1
            await only(server, 0)

    async def test_a_confined_one_sees_its_own(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, auth__jwt_secret=SECRET) as server,
            browsing(server.place) as web,
        ):
            settings = server.gateway.settings
            claims = {"sub": "vic", "role": "VIEWER", "selectors": {"tenant": "acme"}}
            own = jwt.encode({**claims, "exp": time.time() + 60}, SECRET, "HS256")
            every = {"Authorization": f"Bearer {issue_token(settings, Role.ADMIN, 'ada', 60.0)}"}
            async with source(web, TITLES, headers={"Authorization": f"Bearer {own}"}) as stream:
                await submit(web, "theirs", headers=every, labels={"tenant": "other"})
                await submit(web, "ours", headers=every, labels={"tenant": "acme"})
                assert await stream.title() == "ours"


class TestLimits:
    async def test_streams_count_with_websockets(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, server__max_connections=2) as server,
            browsing(server.place) as web,
            AsyncExitStack() as held,
        ):
            await held.enter_async_context(opened(server.ws))
            await held.enter_async_context(source(web, TITLES))
            answer = await web.post(STREAM, json={"query": TITLES})
            assert answer.status_code == 503
            assert "server.max_connections" in answer.text
            assert answer.headers["retry-after"]
            await ask(web, "{ cursor }")  # what is not held open is not counted
            await held.aclose()
            await only(server, 0)
            async with source(web, TITLES):
                assert len(server.gateway.connections) == 1

    async def test_and_so_do_those_of_an_address(self, tmp_path: Path) -> None:
        given: dict[str, object] = {
            "server__trusted_proxies": "127.0.0.1",
            "limits__connections_per_address": 1,
        }
        one = {"X-Forwarded-For": "192.0.2.1"}
        async with local(tmp_path, **given) as server, browsing(server.place) as web:  # type: ignore[arg-type]
            async with source(web, TITLES, headers=one):
                answer = await web.post(STREAM, json={"query": TITLES}, headers=one)
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
                async with source(web, TITLES, headers={"X-Forwarded-For": "192.0.2.2"}):
                    assert server.gateway.figures()["addresses"] == 2
            await only(server, 0)
            async with source(web, TITLES, headers=one):
                assert server.gateway.counters.refused.total() == 1

    async def test_the_tree_and_the_metrics_show_it(
        self, server: LocalServer, web: httpx.AsyncClient
    ) -> None:
        async with source(web, TITLES) as stream:
            await submit(web, "one")
            await stream.next()
            tree = (await web.get("/debug/actors/root.connections")).json()
            [shown] = tree["actor"]["children"]
            stats = shown["stats"]
            assert (shown["kind"], stats["transport"]) == ("connection", "sse")
            assert (stats["live"], stats["reading"], stats["lag_events"]) == (1, 0, 0)
            assert stats["principal"] == "anonymous"
            [child] = shown["children"]
            assert (child["kind"], child["stats"]["field"]) == ("subscription", "newIncidents")
            metrics = (await web.get("/metrics")).text
            assert "lim_websocket_connections_active 1.0" in metrics
            assert "lim_websocket_subscriptions_active 1.0" in metrics
            counted = 'method="POST",path="/graphql/stream",status_code="200"} 1.0'
            assert counted in metrics
            # An operator ends it as he ends a WebSocket: its client comes back.
            answer = await web.post(f"/debug/actors/{shown['id']}/restart")
            assert answer.status_code == 202
            assert await stream.rest() == []
        await only(server, 0)


def request(query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    return (
        b"POST /graphql/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )


async def flood(web: httpx.AsyncClient, count: int) -> list[str]:
    titles = [f"number {number}" for number in range(count)]
    alerts = [alert_input(title, description=LARGE) for title in titles]
    answer = await web.post("/v1/alerts", json={"alerts": alerts})
    assert answer.status_code == 202, answer.text
    return titles


class TestSlowReaders:
    async def test_one_reads_from_the_journal_and_misses_nothing(self, tmp_path: Path) -> None:
        async with (
            local(tmp_path, limits__outbox_bytes=100_000, server__max_body_bytes=10**7) as server,
            browsing(server.place) as web,
            dialled(server.place, window=4096) as slow,
        ):
            await slow.send_all(request(WHOLE))
            await only(server, 1)
            [held] = server.gateway.connections
            titles = await flood(web, 30)
            with trio.fail_after(PATIENCE):
                while not held.statistics()["reading"]:
                    await trio.lowlevel.checkpoint()
            assert held.statistics()["backlog_bytes"] <= 100_000 + len(LARGE) + 1000  # type: ignore[operator]
            assert held.statistics()["lag_events"]
            parser, found = EventParser(), []
            received = b""
            with trio.fail_after(PATIENCE):
                while len(found) < len(titles):
                    part = await slow.receive_some(2**16)
                    assert part
                    received += part
                    head, _, body = received.partition(b"\r\n\r\n")
                    if head.startswith(b"HTTP/1.1 200"):
                        whole, received = dechunked(body)
                        received = head + b"\r\n\r\n" + received
                        found += parser.feed(whole)
            assert [event.json["data"]["newIncidents"]["title"] for event in found] == titles

    @pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
    async def test_one_that_takes_nothing_is_cut_off(self, tmp_path: Path, http2: bool) -> None:
        async with (
            local(
                tmp_path,
                limits__outbox_bytes=100_000,
                limits__stall_timeout=0.3,
                server__max_body_bytes=10**7,
            ) as server,
            browsing(server.place) as web,
            deaf(server.place, http2=http2),
        ):
            await only(server, 1)
            await flood(web, 30)
            await only(server, 0)
            assert server.gateway.guard.stalled == 1
            await submit(web, "the others go on")


@asynccontextmanager
async def deaf(place: Place, *, http2: bool) -> AsyncIterator[None]:
    if not http2:
        async with dialled(place, window=4096) as stream:
            await stream.send_all(request(WHOLE))
            yield
        return
    async with rude_h2(place, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as client:
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "127.0.0.1"),
            (":path", STREAM),
            ("content-type", "application/json"),
        ]
        await client.send(client.headers(1, headers, end=False))
        frame = DataFrame(1, json.dumps({"query": WHOLE}).encode())
        frame.flags.add("END_STREAM")
        await client.send(frame)
        assert await client.status(1) == "200"
        yield


def dechunked(body: bytes) -> tuple[bytes, bytes]:
    """What is whole of a chunked body (RFC 9112, section 7.1), and the rest."""
    whole = b""
    while True:
        size, found, rest = body.partition(b"\r\n")
        if not found or len(rest) < int(size, 16) + 2:
            return whole, body
        whole += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]


async def lines(process: trio.Process, count: int) -> bytes:
    """What a process has printed when so many events are whole."""
    assert process.stdout is not None
    read = b""
    with trio.fail_after(PATIENCE):
        while read.count(b"\n\n") < count:
            part = await process.stdout.receive_some()
            assert part, read
            read += part
    return read


@pytest.mark.component("curl")
@pytest.mark.parametrize("way", ["--http1.1", "--http2-prior-knowledge"])
async def test_curl(server: LocalServer, web: httpx.AsyncClient, way: str) -> None:
    given = (
        "-sSN",
        way,
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps({"query": TITLES}),
    )
    process = await trio.lowlevel.open_process(
        ["curl", *given, f"{server.http}{STREAM}"], stdout=subprocess.PIPE
    )
    try:
        await only(server, 1)
        await submit(web, "by curl")
        [event] = EventParser().feed(await lines(process, 1))
        assert event.json["data"]["newIncidents"]["title"] == "by curl"
        [held] = server.gateway.connections
        held.go_away()
        with trio.fail_after(PATIENCE):
            assert await process.wait() == 0  # a clean end, not a broken connection
    finally:
        process.kill()
        await process.wait()
        assert process.stdout is not None
        await process.stdout.aclose()


@asynccontextmanager
async def clients_of(clients: Path, place: Place, *arguments: str) -> AsyncIterator[Stock]:
    async with stock(clients, f"{place.http}{STREAM}", *arguments, script="sse.mjs") as client:
        yield client


@pytest.mark.component("node")
class TestTheStockClient:
    async def test_filter_receive_complete(self, server: LocalServer, clients: Path) -> None:
        async with clients_of(clients, server.place) as client:
            await client.subscribe("all", TITLES)
            await client.subscribe("critical", TITLES, variables={"s": ["P0"]})
            await client.event("connected", "all")
            await client.event("connected", "critical")
            assert (await client.submit("mild", severity="P4"))["status"] == "ACCEPTED"
            await client.submit("bad", severity="P0")
            assert [await client.title("all"), await client.title("all")] == ["mild", "bad"]
            assert await client.title("critical") == "bad"
            await client.tell("complete", id="all")
            await client.event("complete", "all")
            await only(server, 1)

    async def test_mistakes_reach_their_operation(self, server: LocalServer, clients: Path) -> None:
        async with clients_of(clients, server.place) as client:
            await client.subscribe("bad", "subscription { nothing }")
            await client.subscribe("worse", TITLES, extensions={"cursor": "what"})
            for name, code in (("bad", "GRAPHQL_VALIDATION_FAILED"), ("worse", "BAD_USER_INPUT")):
                [error] = (await client.event("next", name))["result"]["errors"]
                assert error["extensions"]["code"] == code
                await client.event("complete", name)

    @pytest.mark.parametrize("how", ["stop", "kill"])
    async def test_it_comes_back_and_has_missed_nothing(
        self, tmp_path: Path, clients: Path, how: str
    ) -> None:
        async with run(tmp_path) as server, clients_of(clients, server.place) as client:
            await client.subscribe("all", TITLES)
            await client.event("connected", "all")
            await client.submit("one")
            assert await client.title("all") == "one"
            if how == "stop":
                assert await server.stop() == 0
                assert server.complaints() == []
            else:
                await server.kill()
            await client.event("connecting", "all", retrying=True)
            await server.start()
            async with opened(server.place.ws) as sender:
                await sender.submit("two")
                await sender.submit("three")
            event = await client.event("next", "all")
            assert event["result"]["data"]["newIncidents"]["title"] == "two"
            assert event["result"]["extensions"]["recovered"] is True
            assert await client.title("all") == "three"
            told = [event for event in client.kept if event["event"] in ("next", "error")]
            assert not told

    async def test_it_comes_back_with_a_fresh_token(self, tmp_path: Path, clients: Path) -> None:
        async with local(tmp_path, auth__jwt_secret=SECRET) as server:

            def bearer(seconds: float) -> str:
                settings = server.gateway.settings
                return f"Bearer {issue_token(settings, Role.RESPONDER, 'rae', seconds)}"

            async with clients_of(clients, server.place, bearer(2)) as client:
                await client.subscribe("all", TITLES)
                await client.event("connected", "all")
                await client.tell("authorize", authorization=bearer(60))
                await client.event("connected", "all", retried=True)
                await client.submit("one")
                assert await client.title("all") == "one"


async def test_at_the_end_streams_end_and_nobody_waits(tmp_path: Path) -> None:
    async with run(tmp_path) as server, browsing(server.place) as web, AsyncExitStack() as held:
        streams: list[EventSource] = [
            await held.enter_async_context(source(web, TITLES)) for _ in range(5)
        ]
        silent = await held.enter_async_context(dialled(server.place, window=4096))
        await silent.send_all(request(WHOLE))
        assert (await silent.receive_some(15)) == b"HTTP/1.1 200 \r\n"
        await submit(web, "one", description=LARGE)
        for stream in streams:
            assert await stream.title() == "one"
        assert await server.stop() == 0
        for stream in streams:
            assert await stream.rest() == []
        assert server.complaints() == []
