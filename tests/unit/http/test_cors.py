"""Which pages may ask, and what browsers are told of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from incident_manager.http.auth import Role
from incident_manager.http.cors import ALLOWED_HEADERS, EXPOSED_HEADERS, METHODS, Cors, read_origin
from incident_manager.http.sections import AuthSettings, ServerSettings
from incident_manager.http.settings import Settings
from incident_manager.http.web import ROUTES
from unit.http.served import ALERT, SECRET, Reply, bearer, serving

BOARD = "https://board.example"
ASKS = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
LISTED = Settings(
    server=ServerSettings(cors_origins=(BOARD,)), auth=AuthSettings(jwt_secret=SECRET)
)
EVERY = Settings(server=ServerSettings(cors_origins=("*",)), auth=AuthSettings(jwt_secret=SECRET))


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://board.example", "https://board.example"),
        ("HTTPS://Board.Example/", "https://board.example"),
        ("https://board.example:443", "https://board.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("*", "*"),
    ],
)
def test_an_origin(text: str, origin: str) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "board.example",
        "https://",
        "https://board.example/app",
        "https://user@board.example",
        "https://board.example:0",
        "https://board.example:99999",
        "https://*.example",
        "https://board.example?",
        "null",
        "**",
        "",
    ],
)
def test_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        read_origin(text)


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/graphql", True),
        ("/graphql/stream", True),
        ("/v1/alerts", True),
        ("/health/live", True),
        ("/metrics", True),
        ("/v1x", False),
        ("/", False),
        ("/debug/actors", False),
    ],
)
def test_what_pages_of_others_may_have(path: str, shared: bool) -> None:
    for cors in (Cors.of([BOARD]), Cors.of(["*"])):
        assert cors.permits(BOARD, path) is shared
        assert not cors.permits(None, path)


@given(st.text(), st.sampled_from(["/v1/alerts", "/graphql"]))
def test_a_stranger_is_told_nothing(origin: str, path: str) -> None:
    cors = Cors.of([BOARD])
    assert cors.granted(origin, path) == {} or origin == BOARD
    assert Cors().granted(origin, path) == {}
    headers = Headers({"Access-Control-Request-Method": "POST"})
    assert not cors.preflight("OPTIONS", headers, path)


def granted(reply: Reply) -> set[str]:
    return {name for name in dict(reply.headers) if name.lower().startswith("access-control-")}


@pytest.mark.parametrize("path", ["/graphql", "/v1/alerts", "/v1/nothing", "/health", "/metrics"])
async def test_a_preflight_needs_no_credentials(path: str) -> None:
    async with serving(LISTED) as served:
        reply = await served.ask("OPTIONS", path, headers={"Origin": BOARD, **ASKS})
        assert (reply.status, reply.body) == (204, b"")
        told = reply.headers
        assert told["Access-Control-Allow-Origin"] == BOARD
        assert told["Access-Control-Allow-Methods"].split(", ") == list(METHODS)
        assert told["Access-Control-Allow-Headers"].split(", ") == list(ALLOWED_HEADERS)
        assert told["Access-Control-Max-Age"] == "7200"
        assert "Origin" in told["Vary"]
        assert "Access-Control-Allow-Credentials" not in told


async def test_every_answer_can_be_read_by_a_page_that_may_ask() -> None:
    async with serving(LISTED) as served:
        for path, headers, status in (
            ("/v1/incidents", bearer(Role.VIEWER), 200),
            ("/v1/incidents", {}, 401),
            ("/v1/audit", bearer(Role.VIEWER), 403),
            ("/v1/nothing", {}, 404),
        ):
            reply = await served.get(path, headers={**headers, "Origin": BOARD})
            assert reply.status == status
            assert reply.headers["Access-Control-Allow-Origin"] == BOARD
            exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
            assert exposed == list(EXPOSED_HEADERS)
            assert "Origin" in reply.headers["Vary"]


async def test_a_cache_knows_that_answers_differ_by_origin() -> None:
    async with serving(LISTED) as served:
        assert "Origin" in (await served.get("/health")).headers["Vary"]
    async with serving(EVERY) as served:
        reply = await served.get("/health", headers={"Origin": "https://any.example"})
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert "Origin" not in reply.headers.get("Vary", "")
        assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("settings", [LISTED, Settings()])
async def test_strangers_and_no_pages_get_no_headers(settings: Settings) -> None:
    async with serving(settings) as served:
        for origin in ("https://evil.example", "null", "http://board.example"):
            ways = (("OPTIONS", ASKS), ("GET", {}))
            for method, besides in ways:
                reply = await served.ask(
                    method, "/v1/incidents", headers={"Origin": origin, **besides}
                )
                assert not granted(reply)
        assert not granted(await served.get("/v1/incidents"))
        if settings is LISTED:
            assert granted(await served.get("/v1/incidents", headers={"Origin": BOARD}))


CHANGES = [route for route in ROUTES if route.method != "GET"]


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: route.endpoint)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "media_type",
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"],
)
async def test_no_page_of_a_stranger_changes_anything(
    route: object, headers: dict[str, str], media_type: str
) -> None:
    assert isinstance(route, type(CHANGES[0]))
    async with serving() as served:
        path = route.path.replace("<actor_id>", "root.hub")
        for name in ("incident_id", "alert_id"):
            path = path.replace(f"<{name}>", "00000000-0000-4000-8000-000000000000")
        reply = await served.ask(
            route.method, path, headers={**headers, "Content-Type": media_type}, data=b"{}"
        )
        assert reply.status == 403
        assert b'"FORBIDDEN"' in reply.body


async def test_pages_that_may_ask_may_change_things() -> None:
    async with serving(LISTED) as served:
        headers = {**bearer(Role.RESPONDER), "Origin": BOARD, "Sec-Fetch-Site": "cross-site"}
        assert (await served.post("/v1/alerts", ALERT, headers=headers)).status == 202
        restart = "/debug/actors/root.hub/restart"
        reply = await served.ask("POST", restart, headers={**headers, **bearer(Role.ADMIN)})
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")


async def test_pages_of_the_server_itself_and_other_clients_may() -> None:
    async with serving() as served:
        for headers in (
            {},
            {"Sec-Fetch-Site": "same-origin", "Origin": "https://im.example"},
            {"Origin": "http://localhost"},
        ):
            reply = await served.post("/v1/alerts", ALERT, headers={"Host": "localhost", **headers})
            assert reply.status == 202, reply.body


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize("path", ["/graphql", "/v1/alerts"])
async def test_what_a_page_can_send_without_asking_is_no_json(path: str, media_type: str) -> None:
    """Also where nothing tells that it is a page: old browsers send no Origin with a form."""
    async with serving() as served:
        data = b'{"query":"mutation { closeIncident(id: \\"x\\") { id } }"}'
        headers = {"Content-Type": media_type} if media_type else {}
        assert (await served.ask("POST", path, headers=headers, data=data)).status == 415


async def test_a_mutation_never_comes_by_a_link() -> None:
    async with serving() as served:
        ack = await served.alert()
        query = {"query": f'mutation {{ closeIncident(id: "{ack["incident_id"]}") {{ id }} }}'}
        assert (await served.get("/graphql", query_string=query)).status == 405
