"""The Quart application: every route that is not a WebSocket, and the least role it asks for."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from attrs import frozen
from quart import g, request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.roles import Role
from incident_manager.http import debug, graphql_http, health, metrics
from incident_manager.http.gateway import Gateway
from incident_manager.http.hosts import is_rebound
from incident_manager.http.ingest import views as ingest
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import alerts, incidents
from incident_manager.http.rest.idempotency import REPLAYED
from incident_manager.http.rest.problems import problem_of
from incident_manager.http.serving import enter
from incident_manager.http.trace import read_traceparent

__all__ = ["ROUTES", "Route", "create_quart"]

_log: Final = logging.getLogger(__name__)

_PROBLEM: Final = "application/problem+json"
_GRAPHQL: Final = "/graphql"
_METRICS: Final = "/metrics"
_REBOUND: Final = "Without credentials the server answers to localhost and to addresses only."


@frozen
class Route:
    """One method on one path. ``least`` is the role it needs; None: nobody need say who they are.

    ``errors`` tells how its errors look: as problems, or as GraphQL's.
    """

    method: str
    path: str
    least: Role | None
    view: Callable[..., Awaitable[TrioResponse]]

    @property
    def endpoint(self) -> str:
        """Its name in Quart. A dot would mean a blueprint."""
        return f"{self.method} {self.path}".replace(".", "_")


ROUTES: Final = (
    Route("GET", "/health", None, health.report),
    Route("GET", "/health/live", None, health.live),
    Route("GET", "/health/ready", None, health.ready),
    Route("POST", "/v1/alerts", Role.RESPONDER, alerts.submit),
    Route("POST", "/v1/alerts/alertmanager", Role.RESPONDER, ingest.alertmanager),
    Route("POST", "/api/v2/alerts", Role.RESPONDER, ingest.prometheus),
    Route("GET", "/v1/incidents", Role.VIEWER, incidents.listing),
    Route("GET", "/v1/incidents/<incident_id>", Role.VIEWER, incidents.one),
    Route("POST", "/v1/incidents/<incident_id>/resolve", Role.RESPONDER, incidents.resolve),
    # What an operation needs beyond that is the schema's to say.
    Route("POST", _GRAPHQL, Role.VIEWER, graphql_http.post),
    Route("GET", _GRAPHQL, Role.VIEWER, graphql_http.get),
    Route("GET", "/graphql/schema", Role.VIEWER, graphql_http.schema),
    Route("GET", _METRICS, Role.VIEWER, metrics.scrape),
    Route("GET", "/debug/actors", Role.ADMIN, debug.actors),
    Route("GET", "/debug/actors/<actor_id>", Role.ADMIN, debug.actor),
)
"""Every route."""

_LEAST: Final = {route.endpoint: route.least for route in ROUTES}


def _least(gateway: Gateway) -> Mapping[str, Role | None]:
    """The role that each endpoint needs under these settings."""
    opened = {f"GET {_METRICS}": None} if gateway.settings.auth.open_metrics else {}
    return {**_LEAST, **opened}


def create_quart(gateway: Gateway) -> QuartTrio:
    """The application for ``http`` scopes. It needs no lifespan, and runs nothing of its own."""
    app = QuartTrio("incident_manager", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = gateway.settings.server.max_body_bytes
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    metrics.count_requests(app, gateway)
    roles = _least(gateway)
    for route in ROUTES:
        app.add_url_rule(route.path, route.endpoint, route.view, methods=[route.method])

    async def admit() -> None:
        """Find out who asks, and whether they may."""
        if is_rebound(gateway.settings, request.headers.get("Host")):
            raise Refused(ErrorCode.FORBIDDEN, _REBOUND, "Host")
        endpoint = request.endpoint
        least = None if endpoint is None else roles[endpoint]
        if least is None or request.method == "OPTIONS":
            return
        principal = gateway.authenticator.authenticate(request.headers.get("Authorization"))
        principal.require(least)
        trace = read_traceparent(request.headers.get("traceparent"))
        enter(gateway, gateway.session(principal, trace))

    app.before_request(admit)
    app.after_request(_finish)
    app.register_error_handler(Exception, _fail)
    return app


async def _finish(response: TrioResponse) -> TrioResponse:
    headers = response.headers
    headers.setdefault("Cache-Control", "no-store")
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if g.get("replayed"):
        headers[REPLAYED] = "true"
    return response


async def _fail(error: Exception) -> TrioResponse:
    problem = problem_of(error)
    if problem.status == 500:
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
    if request.path == _GRAPHQL:
        return graphql_http.failure(problem)
    body = problem.body(request.path)
    return json_reply(body, problem.status, problem.headers, media_type=_PROBLEM)
