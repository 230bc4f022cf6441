"""``GET /metrics``: Prometheus' text format, or OpenMetrics where it is asked for."""

import time
from collections.abc import Iterable
from typing import Final

import trio
from attrs import frozen
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from quart import request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse

from incident_manager.http.exchange import Exchange, current, enter
from incident_manager.http.figures import Figures
from incident_manager.http.gateway import Gateway
from incident_manager.http.serving import gateway

__all__ = ["count", "count_requests", "scrape"]

_BRACES: Final = str.maketrans("<>", "{}")
_STEP: Final = 512  # connections that are looked at before others run
_OPEN: Final = "application/openmetrics-text"
_END: Final = b"# EOF\n"


@frozen(eq=False)
class _One(Collector):
    """A collector of one metric."""

    metric: Metric

    def collect(self) -> Iterable[Metric]:
        return (self.metric,)


async def scrape() -> TrioResponse:
    """Every metric, also while the system does not run."""
    served = gateway()
    system = served.system
    active = None if system is None else await served.active.read(system.journal)
    subscriptions, waiting = await _sums(served)
    encode, media_type = choose_encoder(",".join(request.headers.getlist("Accept")))
    parts: list[bytes] = []
    for metric in Figures(served, active, subscriptions, waiting).collect():
        parts.append(encode(_One(metric)).removesuffix(_END))
        await trio.lowlevel.checkpoint()  # the streams wait for one metric at most, not for all
    if media_type.startswith(_OPEN):
        parts.append(_END)
    response = TrioResponse(b"".join(parts), content_type=media_type)
    response.headers["Vary"] = "Accept"
    return response


async def _sums(served: Gateway) -> tuple[int, int]:
    """Subscriptions and waiting messages of all connections, a part of them at a time."""
    subscriptions = waiting = 0
    for number, connection in enumerate(tuple(served.connections), 1):
        subscriptions += connection.subscriptions
        waiting += connection.waiting
        if number % _STEP == 0:
            await trio.lowlevel.checkpoint()
    return subscriptions, waiting


def count(exchange: Exchange, route: str | None, status: int) -> None:
    """Count a request that has its answer; ``route`` is its path as Quart writes it, None where
    there is none.
    """
    told = None if route is None else route.translate(_BRACES)  # as OpenAPI writes it
    seconds = time.perf_counter() - exchange.began
    exchange.gateway.counters.request(exchange.method, told, status, seconds)


async def _body() -> bytes:
    return await request.get_data(cache=False, as_text=False, parse_form_data=False)


def count_requests(app: QuartTrio, gateway: Gateway) -> None:
    """Have every request of ``app`` noted, and counted; before anything else is done with it."""

    async def begin() -> None:
        exchange = Exchange.of(gateway, request.scope, _body)
        exchange.path = request.path  # without the root_path that plain Hypercorn may be given
        enter(exchange)

    async def end(response: TrioResponse) -> TrioResponse:
        rule = request.url_rule
        count(current(), None if rule is None else rule.rule, response.status_code)
        return response

    app.before_request(begin)
    app.after_request(end)
