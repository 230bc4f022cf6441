"""What is done with every request before and after its view: by Quart, and for those without it."""

import logging
from collections.abc import Iterable
from typing import Final

import trio
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.http.auth import AuthError, Principal
from incident_manager.http.credentials import API_KEY_HEADER, Credentials
from incident_manager.http.exchange import Exchange
from incident_manager.http.hosts import is_rebound
from incident_manager.http.origins import refuse_strangers
from incident_manager.http.rates import RateLimited
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.idempotency import REPLAYED
from incident_manager.http.rest.problems import Problem, problem_of
from incident_manager.http.security_headers import security_headers
from incident_manager.http.trace import read_traceparent

__all__ = ["METRICS", "admit", "check_host", "dress", "problem_reply", "refuse", "told"]

METRICS: Final = "/metrics"
"""What is not counted against a quota: whoever is limited still wants to be seen."""

_log: Final = logging.getLogger(__name__)
_PROBLEM: Final = "application/problem+json"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REBOUND: Final = "Without credentials the server answers to localhost and to addresses only."
_ALL_OF_IT: Final = (
    "This is of everybody's incidents; these credentials are confined to some (selectors)."
)


def check_host(exchange: Exchange) -> None:
    """Raises Refused (FORBIDDEN, of ``Host``) as :func:`is_rebound` says."""
    if is_rebound(exchange.gateway.settings, exchange.lines.get("Host")):
        raise Refused(ErrorCode.FORBIDDEN, _REBOUND, "Host")


async def admit(exchange: Exchange, access: Access) -> None:
    """Find out who asks, and whether they may: the exchange has its ``session`` then, where one is
    needed.

    Raises:
        Refused: FORBIDDEN, to a page of another origin and to who is confined.
        AuthError: see :meth:`Authenticator.identify`; and FORBIDDEN without the role.
        RateLimited: that was one too many.
        Unavailable: the keys of tokens are not known yet.
    """
    gateway, lines = exchange.gateway, exchange.lines
    if exchange.method not in _SAFE and not gateway.cors.permits(
        lines.get("Origin"), exchange.path
    ):
        refuse_strangers(lines)
    if access.least is None or exchange.method == "OPTIONS":
        return
    shown = Credentials(lines.get("Authorization"), lines.get(API_KEY_HEADER))
    if shown:
        gateway.quotas.check_sign_in(exchange.host, trio.current_time())
    principal = await gateway.authenticator.identify(shown)
    if exchange.path != METRICS:
        _spend(exchange, principal)
    principal.require(access.least)
    if principal.selectors and access.scope is Scope.NONE:
        raise Refused(ErrorCode.FORBIDDEN, _ALL_OF_IT)
    trace = read_traceparent(lines.get("traceparent"))
    exchange.session = gateway.session(principal, trace, exchange.host)


def refuse(exchange: Exchange, error: AuthError) -> Exception:
    """Count who is not let in: for the audit, and against whoever tries. What to answer."""
    gateway, host = exchange.gateway, exchange.host
    gateway.sign_in_refused("<local>" if host is None else host, error)
    if error.code is ErrorCode.UNAUTHORIZED:
        gateway.quotas.sign_in_failed(host, trio.current_time())
    try:
        if not exchange.counted and exchange.path != METRICS:
            _spend(exchange, None)
    except RateLimited as limited:
        return limited
    return error


def _spend(exchange: Exchange, who: Principal | None) -> None:
    """Count the request; raises :class:`RateLimited`."""
    spent = exchange.gateway.quotas.ask(who, exchange.host, trio.current_time())
    exchange.counted, exchange.spent = True, spent
    if spent is not None:
        spent.check()


def told(exchange: Exchange, error: Exception) -> Problem:
    """What a failure is to the client; ours is logged."""
    problem = problem_of(error)
    if problem.status == 500:
        _log.error("%s %s failed", exchange.method, exchange.path, exc_info=error)
    return problem


def problem_reply(exchange: Exchange, problem: Problem) -> TrioResponse:
    """The answer that says so."""
    body = problem.body(exchange.path)
    return json_reply(body, problem.status, problem.headers, media_type=_PROBLEM)


def dress(exchange: Exchange, own: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers of an answer, of those that it has of its ``own``: what its view says stands,
    but for the leave to read it.
    """
    cors, lines = exchange.gateway.cors, exchange.lines
    found = list(own)
    has = {name.lower(): value for name, value in reversed(found)}
    plain = security_headers(
        has.get("content-type"), secure=exchange.secure, host=lines.get("Host")
    )
    found += [pair for pair in plain.items() if pair[0].lower() not in has]
    last = dict(cors.granted(lines.get("Origin"), exchange.path))
    if cors.varies:
        last["Vary"] = _varying(value for name, value in found if name.lower() == "vary")
    if exchange.spent is not None:
        last.update(exchange.spent.headers())
    if exchange.replayed:
        last[REPLAYED] = "true"
    if last:
        ours = {name.lower() for name in last}
        found = [pair for pair in found if pair[0].lower() not in ours]
        found += last.items()
    return found


def _varying(lines: Iterable[str]) -> str:
    """``Vary``, with ``Origin`` (RFC 9110, section 12.5.5)."""
    names = [each.strip() for line in lines for each in line.split(",") if each.strip()]
    if "origin" not in {each.lower() for each in names}:
        names.append("Origin")
    return ", ".join(names)
