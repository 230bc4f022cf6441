"""What becomes of the plain numbers: families with fixed labels, cumulative buckets, examples."""

from prometheus_client import Metric

from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.histogram import Example, Histogram
from incident_manager.actors.vocabulary import IncidentState, Severity
from incident_manager.http.figures import ACTORS, Figures
from unit.http.served import recovering, serving


def families(figures: Figures) -> dict[str, Metric]:
    return {metric.name: metric for metric in figures.collect()}


async def test_buckets_are_cumulative_and_bear_their_example() -> None:
    gateway = recovering().gateway
    measured = gateway.counters.query_seconds = Histogram((0.1, 0.5))
    for value in (0.05, 0.3, 0.3, 7.0):
        measured.observe(value)
    measured.illustrate(1, Example("abc", 0.3, 12.5))
    samples = families(Figures(gateway))[
        "llm_incident_manager_graphql_query_duration_seconds"
    ].samples
    found = [(sample.labels.get("le"), sample.value) for sample in samples]
    assert found == [("0.1", 1), ("0.5", 3), ("+Inf", 4), (None, 4), (None, 7.65)]
    [example] = [sample.exemplar for sample in samples if sample.exemplar is not None]
    assert (example.labels, example.value, example.timestamp) == ({"trace_id": "abc"}, 0.3, 12.5)


async def test_what_may_happen_is_there_before_it_does() -> None:
    async with serving() as served:
        found = families(Figures(served.gateway))
    sizes = {name: len(metric.samples) for name, metric in found.items()}
    assert sizes["llm_incident_manager_incidents"] == len(Severity) * len(IncidentState)
    assert sizes["llm_incident_manager_graphql_errors"] == len(ErrorCode)
    assert sizes["lim_actor_up"] == sizes["lim_actor_restarts"] == len(ACTORS)
    assert sizes["lim_stream_resumes"] == 2
    assert sizes["lim_stream_evictions"] == 4
    assert all(sample.value == 0 for sample in found["lim_stream_evictions"].samples)


async def test_without_a_system_only_what_is_known_is_told() -> None:
    found = families(Figures(recovering().gateway))
    assert "lim_stream_delivery_latency_seconds" not in found
    assert "llm_incident_manager_incidents_active" not in found
    assert {sample.value for sample in found["lim_actor_up"].samples} == {0}


async def test_sums_are_given() -> None:
    figures = Figures(recovering().gateway, dict.fromkeys(Severity, 4), 7, 9)
    found = families(figures)
    assert found["lim_websocket_subscriptions_active"].samples[0].value == 7
    assert found["lim_websocket_message_queue_size"].samples[0].value == 9
    active = found["llm_incident_manager_incidents_active"].samples
    assert {sample.labels["severity"]: sample.value for sample in active} == dict.fromkeys(
        ("P0", "P1", "P2", "P3", "P4"), 4
    )
