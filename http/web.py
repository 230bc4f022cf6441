"""The Quart application: every route that is not a WebSocket, and the least role it asks for."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final

import trio
from quart import request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.roles import Role
from incident_manager.http import console, debug, graphql_http, health, metrics, playground, sse
from incident_manager.http.admission import (
    METRICS,
    admit,
    check_host,
    dress,
    problem_reply,
    refuse,
    told,
)
from incident_manager.http.auth import AuthError
from incident_manager.http.exchange import current
from incident_manager.http.gateway import Gateway
from incident_manager.http.ingest import operations as foreign
from incident_manager.http.ingest import views as ingest
from incident_manager.http.replies import bare, json_reply
from incident_manager.http.rest import (
    actions,
    alerts,
    audit,
    comments,
    events,
    incidents,
    redact,
    timeline,
)
from incident_manager.http.rest.conditional import conditional
from incident_manager.http.rest.openapi import DESCRIPTION, document
from incident_manager.http.route import Route

__all__ = ["ROUTES", "Route", "access_table", "create_quart", "openapi"]

_REST: Final = 5.0
"""Seconds to wait for the rest of a request that is answered."""
_GRAPHQL: Final = "/graphql"


@cache
def openapi() -> dict[str, Any]:
    """The description of the routes (OpenAPI 3.1)."""
    return document(ROUTES)


async def describe() -> TrioResponse:
    """This description of the interface."""
    return await conditional(json_reply(openapi()))


_INCIDENT: Final = "/v1/incidents/<incident_id>"

ROUTES: Final = (
    Route("GET", "/health", None, health.report, health.HEALTH, Scope.SAME),
    Route("GET", "/health/live", None, health.live, health.LIVE, Scope.SAME),
    Route("GET", "/health/ready", None, health.ready, health.HEALTH, Scope.SAME),
    Route("POST", "/v1/alerts", Role.RESPONDER, alerts.submit, alerts.SUBMIT, quick=True),
    Route("GET", "/v1/alerts", Role.VIEWER, alerts.listing, alerts.LISTING),
    Route("GET", "/v1/alerts/<alert_id>", Role.VIEWER, alerts.one, alerts.ONE),
    Route(
        "POST",
        "/v1/alerts/alertmanager",
        Role.RESPONDER,
        ingest.alertmanager,
        foreign.ALERTMANAGER,
        quick=True,
    ),
    Route(
        "POST",
        "/api/v2/alerts",
        Role.RESPONDER,
        ingest.prometheus,
        foreign.PROMETHEUS,
        quick=True,
    ),
    Route("GET", "/v1/incidents", Role.VIEWER, incidents.listing, incidents.LISTING),
    Route("POST", "/v1/incidents", Role.RESPONDER, incidents.create, incidents.CREATE),
    Route("GET", _INCIDENT, Role.VIEWER, incidents.one, incidents.ONE),
    Route("PATCH", _INCIDENT, Role.RESPONDER, incidents.update, incidents.UPDATE),
    Route("PUT", _INCIDENT, Role.RESPONDER, incidents.replace, incidents.REPLACE),
    *(
        Route("POST", f"{_INCIDENT}/{name}", Role.RESPONDER, view, told)
        for name, view, told in actions.STEPS
    ),
    Route("GET", f"{_INCIDENT}/comments", Role.VIEWER, comments.listing, comments.LISTING),
    Route("POST", f"{_INCIDENT}/comments", Role.RESPONDER, comments.add, comments.ADD),
    Route("GET", f"{_INCIDENT}/timeline", Role.VIEWER, timeline.listing, timeline.LISTING),
    Route("GET", "/v1/events", Role.VIEWER, events.listing, events.LISTING),
    Route("POST", f"{_INCIDENT}/redact", Role.ADMIN, redact.redact, redact.REDACT),
    Route("GET", "/v1/audit", Role.ADMIN, audit.listing, audit.LISTING, Scope.NONE),
    Route("GET", "/v1/openapi.json", Role.VIEWER, describe, DESCRIPTION, Scope.SAME),
    # What an operation needs beyond that is the schema's to say.
    Route("POST", _GRAPHQL, Role.VIEWER, graphql_http.post),
    Route("GET", _GRAPHQL, Role.VIEWER, graphql_http.get),
    Route("POST", sse.PATH, Role.VIEWER, sse.post),
    Route("GET", sse.PATH, Role.VIEWER, sse.get),
    Route("GET", "/graphql/schema", Role.VIEWER, graphql_http.schema, scope=Scope.SAME),
    Route("GET", METRICS, Role.VIEWER, metrics.scrape, scope=Scope.NONE),
    Route("GET", "/debug/actors", Role.ADMIN, debug.actors, scope=Scope.NONE),
    Route("GET", "/debug/actors/<actor_id>", Role.ADMIN, debug.actor, scope=Scope.NONE),
    Route("POST", "/debug/actors/<actor_id>/restart", Role.ADMIN, debug.restart, scope=Scope.NONE),
    Route("GET", "/debug/assets/<name>", None, debug.asset, scope=Scope.SAME),
    Route("GET", "/", None, console.shell, scope=Scope.SAME),
    Route("GET", console.PARTS, None, console.part, scope=Scope.SAME),
    Route("GET", playground.PATH, None, playground.shell, scope=Scope.SAME),
    Route("GET", playground.PARTS, None, playground.part, scope=Scope.SAME),
)
"""Every route."""

_ACCESS: Final = {route.endpoint: route.access for route in ROUTES}
_NOBODY: Final = Access(None)


def access_table(gateway: Gateway) -> Mapping[str, Access]:
    """Who may have each endpoint under these settings."""
    opened = {f"GET {METRICS}": _NOBODY} if gateway.settings.auth.open_metrics else {}
    return {**_ACCESS, **opened}


def create_quart(gateway: Gateway) -> QuartTrio:
    """The application for ``http`` scopes. It needs no lifespan, and runs nothing of its own."""
    app = QuartTrio("incident_manager", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = gateway.settings.server.max_body_bytes
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    metrics.count_requests(app, gateway)
    table = access_table(gateway)
    for route in ROUTES:
        app.add_url_rule(route.path, route.endpoint, route.view, methods=[route.method])

    async def let_in() -> TrioResponse | None:
        """Find out who asks, and whether they may."""
        exchange, cors, endpoint = current(), gateway.cors, request.endpoint
        check_host(exchange)
        if cors.preflight(exchange.method, exchange.lines, exchange.path):
            return bare(204, cors.answer())
        open_to_all = endpoint is None or debug.is_shell()
        await admit(exchange, _NOBODY if open_to_all else table[str(endpoint)])
        return None

    async def shut_out(error: AuthError) -> TrioResponse:
        return await _fail(refuse(current(), error))

    app.before_request(let_in)
    app.after_request(_finish)
    app.register_error_handler(AuthError, shut_out)
    app.register_error_handler(Exception, _fail)
    return app


async def _finish(response: TrioResponse) -> TrioResponse:
    await _take_the_rest()
    response.headers = Headers(dress(current(), response.headers))
    return response


async def _take_the_rest() -> None:
    """Wait for what the client is still sending: the connection is good for more after it.

    A body that is too large, or too slow, costs its connection.
    """
    with trio.move_on_after(_REST), suppress(RequestEntityTooLarge):
        await request.body


async def _fail(error: Exception) -> TrioResponse:
    exchange = current()
    problem = told(exchange, error)
    if exchange.path in (_GRAPHQL, sse.PATH):
        return graphql_http.failure(problem)
    return problem_reply(exchange, problem)
