"""What every answer tells a browser not to do."""

import pytest

from incident_manager.http.security_headers import (
    EVERYWHERE,
    PAGES,
    TRANSPORT,
    security_headers,
)
from unit.http.served import AUTHENTICATED, recovering, serving

HSTS = TRANSPORT[0]


def test_data_and_pages() -> None:
    assert security_headers("application/json") == EVERYWHERE
    assert security_headers(None) == EVERYWHERE
    assert security_headers("Text/HTML; charset=utf-8") == {**EVERYWHERE, **PAGES}


@pytest.mark.parametrize("policy", [EVERYWHERE, PAGES])
def test_a_policy_lets_nothing_in_by_default(policy: dict[str, str]) -> None:
    said = dict(
        part.strip().partition(" ")[::2] for part in policy["Content-Security-Policy"].split(";")
    )
    assert said["default-src"] == said["frame-ancestors"] == "'none'"
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & {
        word for value in said.values() for word in value.split()
    }


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("im.example", True),
        ("im.example:8443", True),
        ("localhost:8443", False),
        ("app.localhost", False),
        ("127.0.0.1:8443", False),
        ("192.0.2.1", False),
        ("[::1]:8443", False),
        ("", False),
        (None, False),
    ],
)
def test_tls_is_for_a_year_where_the_server_has_a_name(host: str | None, kept: bool) -> None:
    assert (HSTS in security_headers("text/html", secure=True, host=host)) is kept
    assert HSTS not in security_headers("text/html", secure=False, host=host)


async def test_every_answer_bears_them() -> None:
    async with serving(AUTHENTICATED) as served:
        for method, path in (
            ("GET", "/health"),
            ("GET", "/v1/incidents"),
            ("GET", "/nothing"),
            ("DELETE", "/v1/incidents"),
            ("POST", "/graphql"),
            ("GET", "/debug/assets/actors.js"),
        ):
            reply = await served.ask(method, path)
            assert {name: reply.headers[name] for name in EVERYWHERE} == EVERYWHERE


async def test_a_page_bears_its_own() -> None:
    reply = await recovering().get("/debug/actors", headers={"Accept": "text/html"})
    told = {**EVERYWHERE, **PAGES}
    assert {name: reply.headers[name] for name in told} == told


async def test_what_an_answer_says_of_itself_stands() -> None:
    async with serving() as served:
        ack = await served.alert()
        reply = await served.get(f"/v1/incidents/{ack['incident_id']}")
        assert reply.headers["Cache-Control"] == "private, no-cache"
