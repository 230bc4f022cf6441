"""The Quart application: every route that is not a WebSocket, and the least role it asks for."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final

import trio
from quart import g, request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import RequestEntityTooLarge

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.roles import Role
from incident_manager.http import console, debug, graphql_http, health, metrics, sse
from incident_manager.http.auth import AuthError, Principal
from incident_manager.http.credentials import API_KEY_HEADER, Credentials
from incident_manager.http.gateway import Gateway
from incident_manager.http.hosts import is_rebound
from incident_manager.http.ingest import operations as foreign
from incident_manager.http.ingest import views as ingest
from incident_manager.http.origins import refuse_strangers
from incident_manager.http.rates import RateLimited
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
from incident_manager.http.rest.idempotency import REPLAYED
from incident_manager.http.rest.openapi import DESCRIPTION, document
from incident_manager.http.rest.problems import problem_of
from incident_manager.http.route import Route
from incident_manager.http.security_headers import security_headers
from incident_manager.http.serving import enter, gateway
from incident_manager.http.trace import read_traceparent

__all__ = ["ROUTES", "Route", "create_quart", "openapi"]

_log: Final = logging.getLogger(__name__)

_REST: Final = 5.0
"""Seconds to wait for the rest of a request that is answered."""
_PROBLEM: Final = "application/problem+json"
_GRAPHQL: Final = "/graphql"
_METRICS: Final = "/metrics"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REBOUND: Final = "Without credentials the server answers to localhost and to addresses only."


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
    Route("POST", "/v1/alerts", Role.RESPONDER, alerts.submit, alerts.SUBMIT),
    Route("GET", "/v1/alerts", Role.VIEWER, alerts.listing, alerts.LISTING),
    Route("GET", "/v1/alerts/<alert_id>", Role.VIEWER, alerts.one, alerts.ONE),
    Route(
        "POST",
        "/v1/alerts/alertmanager",
        Role.RESPONDER,
        ingest.alertmanager,
        foreign.ALERTMANAGER,
    ),
    Route("POST", "/api/v2/alerts", Role.RESPONDER, ingest.prometheus, foreign.PROMETHEUS),
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
    Route("GET", _METRICS, Role.VIEWER, metrics.scrape, scope=Scope.NONE),
    Route("GET", "/debug/actors", Role.ADMIN, debug.actors, scope=Scope.NONE),
    Route("GET", "/debug/actors/<actor_id>", Role.ADMIN, debug.actor, scope=Scope.NONE),
    Route("POST", "/debug/actors/<actor_id>/restart", Role.ADMIN, debug.restart, scope=Scope.NONE),
    Route("GET", "/debug/assets/<name>", None, debug.asset, scope=Scope.SAME),
    Route("GET", "/", None, console.shell, scope=Scope.SAME),
    Route("GET", console.PARTS, None, console.part, scope=Scope.SAME),
)
"""Every route."""

_ACCESS: Final = {route.endpoint: route.access for route in ROUTES}
_NOBODY: Final = Access(None)
_ALL_OF_IT: Final = (
    "This is of everybody's incidents; these credentials are confined to some (selectors)."
)


def _access(gateway: Gateway) -> Mapping[str, Access]:
    """Who may have each endpoint under these settings."""
    opened = {f"GET {_METRICS}": _NOBODY} if gateway.settings.auth.open_metrics else {}
    return {**_ACCESS, **opened}


def create_quart(gateway: Gateway) -> QuartTrio:
    """The application for ``http`` scopes. It needs no lifespan, and runs nothing of its own."""
    app = QuartTrio("incident_manager", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = gateway.settings.server.max_body_bytes
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    metrics.count_requests(app, gateway)
    table = _access(gateway)
    for route in ROUTES:
        app.add_url_rule(route.path, route.endpoint, route.view, methods=[route.method])

    async def admit() -> TrioResponse | None:
        """Find out who asks, and whether they may."""
        if is_rebound(gateway.settings, request.headers.get("Host")):
            raise Refused(ErrorCode.FORBIDDEN, _REBOUND, "Host")
        origin, path = request.headers.get("Origin"), request.path
        cors = gateway.cors
        if cors.preflight(request.method, request.headers, path):
            return bare(204, cors.answer())
        if request.method not in _SAFE and not cors.permits(origin, path):
            refuse_strangers(request.headers)
        endpoint = request.endpoint
        access = _NOBODY if endpoint is None else table[endpoint]
        if access.least is None or request.method == "OPTIONS" or debug.is_shell():
            return None
        shown = Credentials(
            request.headers.get("Authorization"), request.headers.get(API_KEY_HEADER)
        )
        host = _host()
        if shown:
            gateway.quotas.check_sign_in(host, trio.current_time())
        principal = await gateway.authenticator.identify(shown)
        if path != _METRICS:
            _spend(gateway, principal)
        principal.require(access.least)
        if principal.selectors and access.scope is Scope.NONE:
            raise Refused(ErrorCode.FORBIDDEN, _ALL_OF_IT)
        trace = read_traceparent(request.headers.get("traceparent"))
        enter(gateway, gateway.session(principal, trace, host))
        return None

    async def refuse(error: AuthError) -> TrioResponse:
        """Answer, and count it: for the audit, and against whoever tries."""
        gateway.sign_in_refused(request.remote_addr, error)
        if error.code is ErrorCode.UNAUTHORIZED:
            gateway.quotas.sign_in_failed(_host(), trio.current_time())
        try:
            if "spent" not in g and request.path != _METRICS:
                _spend(gateway, None)
        except RateLimited as limited:
            return await _fail(limited)
        return await _fail(error)

    app.before_request(admit)
    app.after_request(_finish)
    app.register_error_handler(AuthError, refuse)
    app.register_error_handler(Exception, _fail)
    return app


async def _finish(response: TrioResponse) -> TrioResponse:
    await _take_the_rest()
    headers, cors = response.headers, gateway().cors
    secure, host = request.scheme == "https", request.headers.get("Host")
    told = security_headers(headers.get("Content-Type"), secure=secure, host=host)
    for name, value in told.items():
        headers.setdefault(name, value)
    headers.update(cors.granted(request.headers.get("Origin"), request.path))
    if cors.varies:
        response.vary.add("Origin")
    if g.get("spent") is not None:
        headers.update(g.spent.headers())
    if g.get("replayed"):
        headers[REPLAYED] = "true"
    return response


def _host() -> str | None:
    """The address of the client; None where it comes by a Unix socket."""
    client = request.scope.get("client")
    return None if client is None else str(client[0])


def _spend(gateway: Gateway, who: Principal | None) -> None:
    """Count the request; raises :class:`RateLimited`."""
    g.spent = gateway.quotas.ask(who, _host(), trio.current_time())
    if g.spent is not None:
        g.spent.check()


async def _take_the_rest() -> None:
    """Wait for what the client is still sending: the connection is good for more after it.

    A body that is too large, or too slow, costs its connection.
    """
    with trio.move_on_after(_REST), suppress(RequestEntityTooLarge):
        await request.body


async def _fail(error: Exception) -> TrioResponse:
    problem = problem_of(error)
    if problem.status == 500:
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
    if request.path in (_GRAPHQL, sse.PATH):
        return graphql_http.failure(problem)
    body = problem.body(request.path)
    return json_reply(body, problem.status, problem.headers, media_type=_PROBLEM)
