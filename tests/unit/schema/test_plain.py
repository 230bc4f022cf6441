"""The short way gives what the long way gives."""

import inspect
import logging
from typing import Any

import pytest
from attrs import evolve
from graphql import ExecutionResult, Executor, execute, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.model import Incident, Resolution
from incident_manager.actors.vocabulary import IncidentState, ResolutionMethod, Severity
from incident_manager.schema.build import schema
from incident_manager.schema.plain import PlainExecutor, plain_fields
from incident_manager.schema.resolvers.types import RELATIONS
from unit.actors.builders import make_alert, make_incident

PLAIN = dict(plain_fields(schema))
INCIDENT_FIELDS = [
    name
    for name in schema.type_map["Incident"].fields  # type: ignore[attr-defined]
    if ("Incident", name) not in RELATIONS
]
SUBFIELDS = {"resolution": " { notes rootCause resolvedAt resolutionMethod }"}


def test_most_fields_are_plain() -> None:
    of_incident = {name for kind, name in PLAIN if kind == "Incident"}
    own_way = {"assignedTo", "assignees", "affectedResources", "resolution"}
    assert of_incident == set(INCIDENT_FIELDS) - own_way
    assert not PLAIN.keys() & RELATIONS
    assert not any(kind in ("Query", "Mutation", "Subscription") for kind, _ in PLAIN)


TIMES = st.none() | st.integers(-(10**18), 10**18)  # some beyond the calendar
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)

INCIDENTS = st.builds(
    evolve,
    st.just(make_incident()),
    title=TEXTS,
    severity=st.sampled_from(Severity),
    state=st.sampled_from(IncidentState),
    created_at=st.integers(0, 10**15),
    updated_at=st.sampled_from([0, 10**18]),
    acknowledged_at=TIMES,
    acknowledged_by=st.none() | TEXTS,
    assignees=st.lists(TEXTS, max_size=2).map(tuple),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=2),
    resolution=st.none()
    | st.builds(Resolution, TIMES, TEXTS, st.sampled_from(ResolutionMethod), TEXTS),
    version=st.sampled_from([1, 2**31 - 1, 2**31]),
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


def both(query: str, root: object) -> tuple[ExecutionResult, ExecutionResult]:
    document = parse(query)
    short = execute(schema, document, root, executor_class=PlainExecutor)
    long = execute(schema, document, root)
    assert isinstance(short, ExecutionResult)
    assert isinstance(long, ExecutionResult)
    return short, long


def said(result: ExecutionResult) -> list[Any]:
    return [error.formatted for error in result.errors or ()]


@settings(max_examples=150, deadline=None)
@given(INCIDENTS, st.lists(st.sampled_from(INCIDENT_FIELDS), min_size=1, max_size=8))
def test_both_ways_say_the_same(incident: Incident, names: list[str]) -> None:
    inside = " ".join(f"{name}{SUBFIELDS.get(name, '')}" for name in names)
    query = f"subscription {{ newIncidents {{ __typename {inside} }} }}"
    short, long = both(query, incident)
    assert short.data == long.data
    assert said(short) == said(long)


@pytest.mark.parametrize("name", ["title", "acknowledgedBy"])
def test_a_model_without_the_attribute(name: str) -> None:
    short, long = both(f"subscription {{ newIncidents {{ {name} }} }}", object())
    assert (short.data, said(short)) == (long.data, said(long))


def test_a_value_that_must_not_be_null() -> None:
    alert = evolve(make_alert(), title=None)  # type: ignore[arg-type]
    short, long = both("subscription { alerts { id title } }", alert)
    assert short.data is None
    assert said(short) == said(long) != []


def test_graphql_core_still_executes_field_by_field() -> None:
    ours, theirs = (inspect.signature(c.execute_field) for c in (PlainExecutor, Executor))
    assert list(ours.parameters) == list(theirs.parameters)
