import logging

import pytest
import trio

from incident_manager.http.auth import Role
from incident_manager.http.web import ROUTES, Route, openapi
from unit.http.served import ALERT, AUTHENTICATED, bearer, recovering, serving

MISSING = "00000000-0000-4000-8000-000000000000"
INCIDENT = "/v1/incidents/<incident_id>"
EDITED = {
    "title": "Checkout is slow",
    "description": "",
    "severity": "P1",
    "state": "NEW",
    "incident_type": "COST",
    "assignees": [],
    "labels": {},
    "metadata": {},
}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def path_of(route: Route) -> str:
    path = route.path.replace("<actor_id>", "root.nobody")
    return path.replace("<incident_id>", MISSING).replace("<alert_id>", MISSING)


def body_of(route: Route) -> dict[str, object]:
    bodies: dict[str, object] = {
        "/v1/alerts": ALERT,
        "/v1/alerts/alertmanager": {"version": "4", "alerts": []},
        "/api/v2/alerts": [],
        "/graphql": {"query": "{ cursor }"},
        "/graphql/stream": {"query": "subscription { newIncidents { id } }"},
        "/v1/incidents": {**ALERT, "incident_type": "COST"},
        f"{INCIDENT}/assign": {"assignees": ["ann"]},
        f"{INCIDENT}/escalate": {"new_severity": "P0", "reason": "It spreads"},
        f"{INCIDENT}/link": {"related_id": MISSING},
        f"{INCIDENT}/redact": {"reason": "Asked for"},
        f"{INCIDENT}/comments": {"comment": "Seen"},
        INCIDENT: EDITED,
    }
    if route.method == "GET":
        asked = bodies.get(route.path) if route.path.startswith("/graphql") else None
        return {} if asked is None else {"query_string": asked}
    return {"json": bodies.get(route.path, {"method": "MANUAL", "notes": "done"})}


GUARDED = [route for route in ROUTES if route.least is not None]
DESCRIPTIONS = ("/graphql/schema", "/v1/openapi.json")
NEEDS_THE_SYSTEM = [route for route in GUARDED if route.path not in {*DESCRIPTIONS, "/metrics"}]


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_route_but_health_and_what_has_no_data_names_a_role() -> None:
    assert {route.path for route in ROUTES if route.least is None} == {
        "/health",
        "/health/live",
        "/health/ready",
        "/debug/assets/<name>",
        "/",
        "/console/<name>",
        "/graphql/playground",
        "/graphql/playground/<name>",
    }


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_a_route_wants_credentials(route: Route) -> None:
    reply = await recovering(AUTHENTICATED).ask(route.method, path_of(route), **body_of(route))
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert b"UNAUTHENTICATED" in reply.body


@pytest.mark.parametrize("route", GUARDED, ids=name)
async def test_a_route_wants_its_role(route: Route) -> None:
    served = recovering(AUTHENTICATED)
    for role in Role:
        reply = await served.ask(
            route.method, path_of(route), headers=bearer(role), **body_of(route)
        )
        assert route.least is not None
        assert (reply.status == 403) is (role < route.least)
        assert (b'"code":"FORBIDDEN"' in reply.body) is (role < route.least)


async def test_a_bad_token_is_unauthorized() -> None:
    reply = await recovering(AUTHENTICATED).get(
        "/v1/incidents", headers={"Authorization": "Bearer x.y.z"}
    )
    assert (reply.status, reply.json["code"]) == (403, "UNAUTHORIZED")
    assert "x.y.z" not in reply.body.decode()


async def test_health_needs_no_credentials() -> None:
    async with serving(AUTHENTICATED) as served:
        assert (await served.get("/health")).status == 200


@pytest.mark.parametrize("route", NEEDS_THE_SYSTEM, ids=name)
async def test_a_route_answers_while_the_journal_recovers(route: Route) -> None:
    reply = await recovering().ask(route.method, path_of(route), **body_of(route))
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "1"
    assert b"SERVICE_UNAVAILABLE" in reply.body


async def test_an_unknown_path_is_a_problem() -> None:
    reply = await recovering(AUTHENTICATED).get("/v1/nothing?x=1")
    assert reply.status == 404
    assert reply.media_type == "application/problem+json"
    assert reply.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here.",
        "code": "NOT_FOUND",
        "instance": "/v1/nothing",
    }


@pytest.mark.parametrize("path", ["/health/", "/v1//incidents", "/v1/incidents/", "/V1/incidents"])
async def test_a_path_is_taken_as_it_is_written(path: str) -> None:
    assert (await recovering().get(path)).status == 404


async def test_a_wrong_method_is_told_the_right_ones() -> None:
    reply = await recovering().ask("DELETE", "/v1/incidents")
    assert (reply.status, reply.json["code"]) == (405, "BAD_USER_INPUT")
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_the_interface_describes_itself() -> None:
    reply = await recovering().get("/v1/openapi.json")
    assert (reply.status, reply.media_type) == (200, "application/json")
    assert reply.json == openapi()
    held = {"If-None-Match": reply.headers["ETag"]}
    assert (await recovering().get("/v1/openapi.json", headers=held)).status == 304


async def test_options_need_no_credentials_and_tell_nothing_else() -> None:
    reply = await recovering(AUTHENTICATED).ask("OPTIONS", "/api/v2/alerts")
    assert (reply.status, reply.body) == (200, b"")
    assert set(reply.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


async def test_what_nobody_expected_is_logged_and_hidden(
    caplog: pytest.LogCaptureFixture,
) -> None:
    served = recovering()

    async def broken() -> None:
        raise LookupError("the inner message")

    served.app.view_functions["GET /health"] = broken
    with caplog.at_level(logging.ERROR):
        reply = await served.get("/health")
    assert (reply.status, reply.json["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert b"inner message" not in reply.body
    [record] = caplog.records
    assert record.getMessage() == "GET /health failed"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


async def test_so_is_what_comes_out_of_a_nursery(caplog: pytest.LogCaptureFixture) -> None:
    served = recovering()

    async def failing() -> None:
        raise LookupError("the inner message")

    async def broken() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(failing)

    served.app.view_functions["GET /health"] = broken
    with caplog.at_level(logging.ERROR):
        reply = await served.get("/health")
    assert (reply.status, reply.json["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert "LookupError" in caplog.text


async def test_a_route_without_a_role_is_not_served(caplog: pytest.LogCaptureFixture) -> None:
    served = recovering()

    async def forgotten() -> str:
        return "secret"

    served.app.add_url_rule("/forgotten", "forgotten", forgotten)
    with caplog.at_level(logging.ERROR):
        reply = await served.get("/forgotten")
    assert reply.status == 500
    assert b"secret" not in reply.body


async def test_nothing_is_kept_by_caches_nor_guessed_by_browsers() -> None:
    for path in ("/health", "/nothing"):
        reply = await recovering().get(path)
        assert reply.headers["Cache-Control"] == "no-store"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_trace_and_the_caller_are_on_the_event() -> None:
    async with serving(AUTHENTICATED) as served:
        headers = {**bearer(Role.RESPONDER, "ann"), "traceparent": TRACE}
        assert (await served.post("/v1/alerts", ALERT, headers=headers)).status == 202
        [record] = served.store.records
        assert (record.actor, record.principal, record.trace) == ("ann", "ann", TRACE)


async def test_a_trace_that_is_malformed_is_left_out() -> None:
    async with serving() as served:
        await served.post("/v1/alerts", ALERT, headers={"traceparent": "00-1-2-3"})
        [record] = served.store.records
        assert record.trace is None
