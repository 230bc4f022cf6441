"""The same answers as by Quart, whatever is asked."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trio
import trio.testing
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.roles import Role
from incident_manager.http.direct import Answer, Direct, direct_of
from incident_manager.http.sections import AuthSettings, LimitSettings, ServerSettings
from incident_manager.http.settings import Settings
from incident_manager.http.web import ROUTES, access_table
from unit.http.served import ALERT, AUTHENTICATED, SECRET, Served, bearer, recovering, serving

Lines = list[tuple[bytes, bytes]]
UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+Z")
JSON = ("content-type", "application/json")
PATHS = ("/v1/alerts", "/v1/alerts/alertmanager", "/api/v2/alerts")
ORIGIN = "https://page.example"
WORLDS = {
    "open": Settings(),
    "authenticated": AUTHENTICATED,
    "few": Settings(limits=LimitSettings(requests_per_minute=2)),
    "both": Settings(
        auth=AuthSettings(jwt_secret=SECRET),
        server=ServerSettings(cors_origins=(ORIGIN,)),
        limits=LimitSettings(requests_per_minute=3),
    ),
    "every origin": Settings(server=ServerSettings(cors_origins=("*",))),
}
# They are made when tests are collected, and used when it is this one's turn.
TOKENS = {role: bearer(role, seconds=36_000)["Authorization"] for role in Role}


@frozen
class Asked:
    """A request."""

    path: str = "/v1/alerts"
    headers: Sequence[tuple[str, str]] = (JSON,)
    body: bytes = b"{}"
    client: tuple[str, int] | None = ("192.0.2.7", 50_000)
    scheme: str = "http"

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "http_version": "1.1",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "method": "POST",
            "scheme": self.scheme,
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), text.encode("latin-1")) for name, text in self.headers],
            "client": self.client,
            "server": ("127.0.0.1", 80),
            "extensions": {},
        }


def direct(served: Served) -> Direct:
    return Direct(served.gateway, ROUTES, access_table(served.gateway))


async def by_quart(served: Served, asked: Asked) -> Answer:
    parts = [{"type": "http.request", "body": asked.body, "more_body": False}]
    sent: list[Mapping[str, Any]] = []

    async def receive() -> Mapping[str, Any]:
        if not parts:
            await trio.sleep_forever()
        return parts.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = asked.scope()
    await served.app(scope, receive, send)  # type: ignore[arg-type]
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return Answer(sent[0]["status"], sent[0]["headers"], body)


def masked(answer: Answer) -> tuple[int, Counter[tuple[bytes, bytes]], bytes]:
    """What must be equal: what names and times are made up is not."""
    return (
        answer.status,
        Counter(answer.headers),
        TIME.sub(b"TIME", UUID.sub(b"ID", answer.body)),
    )


async def compare(world: str, requests: Sequence[Asked], *, ready: bool = True) -> list[int]:
    """Ask two new servers the same; the statuses."""
    told: list[list[Answer]] = []
    counts = []
    for way in ("direct", "quart"):
        if ready:
            async with serving(WORLDS[world]) as served:
                told.append([await ask(way, served, each) for each in requests])
        else:
            served = recovering(WORLDS[world])
            told.append([await ask(way, served, each) for each in requests])
        counts.append(served.gateway.counters.requests)
    for asked, ours, theirs in zip(requests, *told, strict=True):
        assert masked(ours) == masked(theirs), asked
    assert counts[0] == counts[1]
    return [answer.status for answer in told[0]]


async def ask(way: str, served: Served, asked: Asked) -> Answer:
    if way == "quart":
        return await by_quart(served, asked)
    return await direct(served).answer(asked.scope(), asked.body)


def body(**changes: object) -> bytes:
    import msgspec

    return msgspec.json.encode({**ALERT, **changes})


GOOD = body()
NAMED = {
    "host": ["localhost", "127.0.0.1:80", "evil.example", "[::1]", "a b", ""],
    "origin": [ORIGIN, "https://other.example", "http://localhost", "null"],
    "sec-fetch-site": ["same-origin", "cross-site", "none", "x"],
    "authorization": [*TOKENS.values(), "Bearer x.y.z", "Basic eA==", "Bearer", ""],
    "x-api-key": ["key", ""],
    "traceparent": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-x"],
    "idempotency-key": ["one", "two", "a b", ""],
    "content-encoding": ["identity", "gzip", "IDENTITY", ""],
    "content-type": [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/json; charset=latin-1",
        'application/json; charset="utf-8"; q=1',
        "text/plain",
        "application/json;",
        " application/json",
        "",
    ],
    "content-length": [str(len(GOOD))],
    "x-requested-with": ["x"],
}
lines = st.one_of(
    *(st.tuples(st.just(name), st.sampled_from(values)) for name, values in NAMED.items())
)
headers = st.one_of(
    st.lists(lines, max_size=6),
    st.lists(lines, max_size=3).map(lambda some: [JSON, *some]),
    st.lists(lines, max_size=3).map(
        lambda some: [JSON, ("authorization", TOKENS[Role.RESPONDER]), *some]
    ),
)
bodies = st.sampled_from(
    [
        GOOD,
        body(title=""),
        body(severity="P9", labels=[]),
        body(alerts=[ALERT, {}, ALERT]),
        body(alerts=[]),
        b'[{"labels":{"alertname":"Slow"}}]',
        b'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"}}]}',
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 5000,
    ]
)
requests = st.builds(
    Asked,
    path=st.sampled_from(PATHS),
    headers=headers,
    body=bodies,
    client=st.sampled_from([("192.0.2.7", 50_000), ("127.0.0.1", 1), ("2001:db8::1", 2), None]),
    scheme=st.sampled_from(["http", "https"]),
)


@settings(max_examples=80, deadline=None)
@given(
    world=st.sampled_from(sorted(WORLDS)),
    asked=st.lists(requests, min_size=1, max_size=5),
    ready=st.booleans(),
)
def test_whatever_is_asked_both_ways_say_the_same(
    world: str, asked: list[Asked], ready: bool
) -> None:
    async def main() -> None:
        await compare(world, asked, ready=ready)

    trio.run(main, clock=trio.testing.MockClock())


TOKEN = ("authorization", TOKENS[Role.RESPONDER])
TABLE = {
    "an alert": ("open", [Asked(body=GOOD)], [202]),
    "the same alert again": ("open", [Asked(body=GOOD)] * 2, [202, 202]),
    "a batch": ("open", [Asked(body=body(alerts=[ALERT, {}]))], [202]),
    "a wrong one": ("open", [Asked(body=b"{}")], [400]),
    "another type": ("open", [Asked(headers=[], body=GOOD)], [415]),
    "another host": ("open", [Asked(headers=[JSON, ("host", "evil.example")])], [403]),
    "a page": ("open", [Asked(headers=[JSON, ("origin", ORIGIN)])], [403]),
    "a page that may": (
        "both",
        [Asked(headers=[JSON, TOKEN, ("origin", ORIGIN)], body=GOOD)],
        [202],
    ),
    "nobody": ("authenticated", [Asked(body=GOOD)], [401]),
    "a viewer": (
        "authenticated",
        [Asked(headers=[JSON, ("authorization", TOKENS[Role.VIEWER])])],
        [403],
    ),
    "too many": ("few", [Asked(body=GOOD)] * 3, [202, 202, 429]),
    "strangers, too many": ("both", [Asked(body=GOOD)] * 4, [401, 401, 401, 429]),
    "one key, twice": (
        "open",
        [Asked(headers=[JSON, ("idempotency-key", "one")], body=GOOD)] * 2,
        [202, 202],
    ),
    "one key, two bodies": (
        "open",
        [
            Asked(headers=[JSON, ("idempotency-key", "one")], body=GOOD),
            Asked(headers=[JSON, ("idempotency-key", "one")], body=body(title="Else")),
        ],
        [202, 422],
    ),
    "under a name, with TLS": (
        "authenticated",
        [Asked(headers=[JSON, TOKEN, ("host", "im.example")], body=GOOD, scheme="https")],
        [202],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_answer_is_the_one_of_the_contract(name: str) -> None:
    world, asked, statuses = TABLE[name]

    async def main() -> None:
        assert await compare(world, asked) == statuses

    trio.run(main, clock=trio.testing.MockClock())


async def test_what_fails_is_500_and_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    served = recovering()
    served.gateway.phase = None  # type: ignore[assignment]
    for way in ("direct", "quart"):
        answer = await ask(way, served, Asked(body=GOOD))
        assert answer.status == 500
        assert b"INTERNAL_SERVER_ERROR" in answer.body
    assert [each.getMessage() for each in caplog.records] == ["POST /v1/alerts failed"] * 2


def test_it_takes_the_routes_that_are_quick() -> None:
    async def main() -> None:
        found = direct(recovering())
        assert {path for path in PATHS if found.takes(b"POST", path.encode())} == set(PATHS)
        assert not found.takes(b"GET", b"/v1/alerts")
        assert not found.takes(b"POST", b"/v1/alerts/")
        assert not found.takes(b"POST", b"/v1/incidents")

    trio.run(main)


def test_a_quick_route_has_a_fixed_path() -> None:
    assert all("<" not in route.path for route in ROUTES if route.quick)


def test_an_application_of_somebody_else_has_no_direct_answers() -> None:
    assert direct_of(None) is None
    assert direct_of(object()) is None
