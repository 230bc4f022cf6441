"""Every metric of the contract's section 6, made of the plain numbers that are counted anyhow."""

import platform
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from attrs import frozen
from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from incident_manager import __version__
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.histogram import Histogram
from incident_manager.actors.system import System
from incident_manager.actors.vocabulary import IncidentState, Severity
from incident_manager.http.counters import Counters, Eviction, Refusal
from incident_manager.http.gateway import Gateway
from incident_manager.supervision import Node, NodeState

__all__ = ["ACTORS", "Figures"]

ACTORS: Final = ("connections", "hub", "journal", "listener", "registry")
"""Kinds of the actors that there is one of."""

_DEPTH: Final = "mailbox_depth"
_WEBSOCKET: Final = "lim_websocket_"
_STREAM: Final = "lim_stream_"
_ACTOR: Final = "lim_actor_"
_MANAGER: Final = "llm_incident_manager_"


@frozen(eq=False)
class Figures(Collector):
    """A collector of prometheus_client: one scrape.

    ``active`` are the active incidents by severity, None while nobody can say; ``subscriptions``
    and ``waiting`` are sums over all connections. Before the system runs, what only the system has
    is left out.
    """

    gateway: Gateway
    active: Mapping[Severity, int] | None = None
    subscriptions: int = 0
    waiting: int = 0

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        counters, system = self.gateway.counters, self.gateway.system
        yield from self._websockets(counters)
        if system is not None:
            yield from _streams(system)
            yield from _journal(system)
        yield _evictions(self.gateway)
        yield from _actors(system)
        if self.active is not None:
            yield _by(
                "gauge",
                f"{_MANAGER}incidents_active",
                "Incidents that are neither RESOLVED nor CLOSED.",
                ("severity",),
                {(severity,): number for severity, number in self.active.items()},
            )
        yield from _requests(counters)
        yield _build()

    def _websockets(self, counters: Counters) -> Iterator[Metric]:
        name, count = _WEBSOCKET, len(self.gateway.connections)
        yield GaugeMetricFamily(f"{name}connections_active", "Open connections.", count)
        yield CounterMetricFamily(
            f"{name}connections", "Connections that were let in.", counters.connections
        )
        yield _by(
            "counter",
            f"{name}refusals",
            "WebSockets that were not let in.",
            ("reason",),
            {(reason,): counters.refused[reason] for reason in Refusal},
        )
        yield GaugeMetricFamily(
            f"{name}subscriptions_active", "Subscriptions that run.", self.subscriptions
        )
        yield CounterMetricFamily(
            f"{name}messages_sent", "Messages handed to the kernel.", counters.messages_out
        )
        yield CounterMetricFamily(
            f"{name}messages_received", "Messages of clients.", counters.messages_in
        )
        yield CounterMetricFamily(
            f"{name}errors",
            "Messages of type error, and closes for a client's mistake (44xx).",
            counters.errors,
        )
        yield _histogram(
            f"{name}connection_duration_seconds",
            "How long connections lived that have ended.",
            counters.lives,
        )
        yield GaugeMetricFamily(
            f"{name}message_queue_size", "Messages that wait in all outboxes.", self.waiting
        )


def _streams(system: System) -> Iterator[Metric]:
    hub, name = system.hub, _STREAM
    yield _histogram(
        f"{name}delivery_latency_seconds",
        "From the acceptance of an event until its bytes are with the kernel, for each delivery.",
        hub.latency.latency,
    )
    yield CounterMetricFamily(f"{name}events", "Events that were fanned out.", hub.events)
    yield CounterMetricFamily(
        f"{name}projections",
        "Payloads that were made: one for each event and shape.",
        system.streams.projections.made,
    )
    yield CounterMetricFamily(
        f"{name}catchups",
        "Times that a live subscription had to read on from the journal.",
        hub.catchups,
    )
    yield _by(
        "counter",
        f"{name}resumes",
        "Subscriptions that came back with a cursor; not recovered: some events were gone.",
        ("recovered",),
        {("true",): hub.recovered, ("false",): hub.unrecovered},
    )


def _journal(system: System) -> Iterator[Metric]:
    keeper = system.journal
    yield _histogram(
        f"{_MANAGER}journal_append_seconds",
        "Time of one transaction of the journal, until it survives a power cut.",
        keeper.append_seconds,
    )
    yield _by(
        "counter",
        f"{_MANAGER}incidents",
        "Incidents that came into a status, with the severity that they had then.",
        ("severity", "status"),
        {
            (severity, state): keeper.entered[severity, state]
            for severity in Severity
            for state in IncidentState
        },
    )
    yield CounterMetricFamily(
        f"{_MANAGER}incidents_deduplicated",
        "Alerts that joined an active incident.",
        keeper.joined,
    )


def _evictions(gateway: Gateway) -> Metric:
    reasons = {reason: gateway.counters.evictions[reason] for reason in Eviction}
    return _by(
        "counter",
        f"{_STREAM}evictions",
        "Connections that the server ended although their client wanted more.",
        ("reason",),
        {("stalled",): gateway.guard.stalled, ("silent",): gateway.guard.pulse.silent}
        | {(reason,): number for reason, number in reasons.items()},
    )


def _actors(system: System | None) -> Iterator[Metric]:
    nodes = {} if system is None else {n.kind: n for n in system.tree.root.children.values()}
    figures = {kind: node.stats() for kind, node in nodes.items() if node.stats is not None}
    yield _by(
        "gauge",
        f"{_ACTOR}mailbox_depth",
        "Messages that wait for an actor; of the hub, events that wait for their fan-out.",
        ("kind",),
        {(kind,): of[_DEPTH] for kind, of in figures.items() if _DEPTH in of},
    )
    restarts = {} if system is None else system.tree.restarts
    yield _by(
        "counter",
        f"{_ACTOR}restarts",
        "Times that an actor was started again.",
        ("kind",),
        {(kind,): restarts.get(kind, 0) for kind in sorted({*ACTORS, *restarts})},
    )
    yield _by(
        "gauge",
        f"{_ACTOR}up",
        "1 while an actor runs, else 0.",
        ("kind",),
        {(kind,): int(_runs(nodes.get(kind))) for kind in ACTORS},
    )


def _runs(node: Node | None) -> bool:
    return node is not None and node.state is NodeState.RUNNING


def _requests(counters: Counters) -> Iterator[Metric]:
    yield _by(
        "counter",
        f"{_MANAGER}http_requests",
        "HTTP requests; the path is the template of its route, or other.",
        ("method", "path", "status_code"),
        counters.requests,
    )
    yield _histogram(
        f"{_MANAGER}http_request_duration_seconds",
        "Time until an HTTP request was answered.",
        counters.request_seconds,
    )
    yield _by(
        "counter",
        f"{_MANAGER}graphql_queries",
        "Root fields that were asked for, over HTTP and WebSocket, subscriptions too.",
        ("operation",),
        {(name,): number for name, number in counters.queries.items()},
    )
    yield _histogram(
        f"{_MANAGER}graphql_query_duration_seconds",
        "Time to execute a query or a mutation.",
        counters.query_seconds,
    )
    yield _by(
        "counter",
        f"{_MANAGER}graphql_errors",
        "Errors in answers of GraphQL.",
        ("code",),
        {(code.value,): counters.query_errors[code] for code in ErrorCode},
    )


def _build() -> Metric:
    facts = {"version": __version__, "python": platform.python_version()}
    return InfoMetricFamily(f"{_MANAGER}build", "What runs here; always 1.", facts)


def _by(
    kind: str,
    name: str,
    help_: str,
    labels: tuple[str, ...],
    values: Mapping[Any, Any],
) -> Metric:
    """A counter or gauge with labels: ``values`` has a number for each tuple of them."""
    family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    metric = family(name, help_, labels=labels)
    for key, value in values.items():
        metric.add_metric([str(each) for each in key], value)
    return metric


def _histogram(name: str, help_: str, measured: Histogram) -> Metric:
    bounds = [*map(floatToGoString, measured.bounds), "+Inf"]
    examples = {
        bucket: Exemplar({"trace_id": each.trace_id}, each.value, each.time)
        for bucket, each in measured.examples.items()
    }
    metric = HistogramMetricFamily(name, help_)
    below = accumulate(measured.counts)
    metric.add_metric(
        [],
        [
            (bound, number, examples.get(bucket))  # type: ignore[misc]  # it takes None as well
            for bucket, (bound, number) in enumerate(zip(bounds, below, strict=True))
        ],
        measured.total,
    )
    return metric
