"""GraphQL, REST and the journal agree on every field, page and count, whatever has happened."""

from functools import cache
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.actors.model import Incident, Micros
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.rest.problems import snake
from incident_manager.schema.build import schema
from incident_manager.schema.execute import execute
from incident_manager.schema.resolvers.types import RELATIONS
from unit.actors.builders import START
from unit.http.histories import (
    HISTORIES,
    QUESTIONS,
    Fold,
    Question,
    Step,
    command_of,
    plain,
    written,
)
from unit.http.served import Served, recovering, serving

History = list[tuple[Step, int, int]]


def fields(name: str) -> str:
    """All fields of a type that are no relations, as a document asks for them."""
    kind: Any = schema.type_map[name]
    return " ".join(each for each in kind.fields if (name, each) not in RELATIONS)


RESOLUTION = fields("Resolution")
INCIDENT = fields("Incident").replace("resolution", f"resolution {{ {RESOLUTION} }}")
BESIDE = f"""
  comments(first: 100) {{ comments {{ {fields("Comment")} }} totalCount endCursor hasNextPage }}
  timeline(first: 100) {{
    events {{ {fields("TimelineEvent")} }} totalCount endCursor hasNextPage
  }}
  relatedIncidents(first: 100) {{ id }}
  alerts(first: 100) {{ id }}
"""
PAGE = f"pageInfo {{ {fields('PageInfo')} }} cursor"
WHOLE = f"query ($id: UUID!) {{ incident(id: $id) {{ {INCIDENT} {BESIDE} }} }}"
INCIDENTS = f"""
query ($filter: IncidentFilterInput, $pagination: PaginationInput, $sort: IncidentSortInput) {{
  incidents(filter: $filter, pagination: $pagination, sort: $sort) {{
    incidents {{ {INCIDENT} }} {PAGE}
  }}
  incidentStats(filter: $filter) {{ total active resolved bySeverity {{ p0 p1 p2 p3 p4 }} }}
}}
"""
ALERTS = f"""
query ($filter: AlertFilterInput, $pagination: PaginationInput) {{
  alerts(filter: $filter, pagination: $pagination) {{ alerts {{ {fields("Alert")} }} {PAGE} }}
}}
"""


_spelt = cache(snake)


def rest_spelt(value: Any, *, data: bool = False) -> Any:
    """What GraphQL answers in REST's spelling; the keys of a map are data."""
    if isinstance(value, list):
        return [rest_spelt(each) for each in value]
    if isinstance(value, dict) and not data:
        maps = ("labels", "metadata", "annotations")
        return {_spelt(name): rest_spelt(each, data=name in maps) for name, each in value.items()}
    return value


class Clerk:
    """Asks the same of everybody."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.gateway = served.gateway

    async def graphql(self, document: str, **variables: Any) -> Any:
        principal = self.gateway.authenticator.authenticate()
        session = self.gateway.session(principal)
        operation = self.gateway.preparer.prepare(document, None, variables, role=principal.role)
        result = await execute(operation, session)
        assert "errors" not in result, result
        return rest_spelt(result["data"])

    async def rest(self, path: str, **parameters: Any) -> Any:
        reply = await self.served.get(path, query_string=parameters)
        assert reply.status == 200, reply.body
        return reply.json

    async def events(self, limit: int) -> list[Any]:
        """The journal, as it is read by REST."""
        found: list[Any] = []
        after = ""
        while True:
            page = await self.rest("/v1/events", after=after, limit=limit)
            found += page["events"]
            if not page["has_more"]:
                return found
            after = page["next"]


async def live(served: Served, history: History, tick: list[Micros]) -> None:
    """Let a history happen; what is refused does not."""
    for step, one, other in history:
        tick[0] += step.wait
        command = command_of(step, list(served.store.incidents), one, other)
        session = served.gateway.session(served.gateway.authenticator.authenticate())
        await session.ask([command])


def asked_of_graphql(asked: Question, *, alerts: bool) -> dict[str, Any]:
    wanted = {
        "severities": asked.severities,
        "sources": asked.sources,
        "labels": asked.labels,
    }
    if alerts:
        return {**wanted, "receivedAfter": written(asked.since)}
    return {
        **wanted,
        "states": asked.states,
        "types": asked.types,
        "activeOnly": asked.active_only,
        "assignedTo": asked.assigned_to,
        "createdAfter": written(asked.since),
        "createdBefore": written(asked.until),
    }


def asked_of_rest(asked: Question, *, alerts: bool) -> dict[str, Any]:
    wanted = {
        "severity": ",".join(asked.severities),
        "source": list(asked.sources),
        "label": [f"{key}:{value}" for key, value in asked.labels.items()],
    }
    if alerts:
        return {**wanted, "received_after": written(asked.since) or ""}
    return {
        **wanted,
        "state": list(asked.states),
        "type": ",".join(asked.types),
        "active_only": str(asked.active_only),
        "assigned_to": asked.assigned_to or "",
        "created_after": written(asked.since) or "",
        "created_before": written(asked.until) or "",
        "sort": asked.sort,
        "order": asked.order,
    }


async def pages_agree(clerk: Clerk, asked: Question, fold: Fold, *, alerts: bool) -> None:
    """Every page, counted and by cursor, is the same; together they are what the fold has."""
    name = "alerts" if alerts else "incidents"
    expected = [plain(each) for each in _expected(fold, asked, alerts=alerts)]
    variables: dict[str, Any] = {"filter": asked_of_graphql(asked, alerts=alerts)}
    if not alerts:
        variables["sort"] = {"field": asked.sort, "order": asked.order}
    parameters = asked_of_rest(asked, alerts=alerts)
    size = asked.size
    for counted in (True, False):
        after, number, found = "", 0, []
        while True:
            place: dict[str, Any] = (
                {"page": number, "page_size": size} if counted else {"first": size, "after": after}
            )
            page = await clerk.rest(f"/v1/{name}", **parameters, **place)
            pagination = (
                {"page": number, "pageSize": size}
                if counted
                else {"first": size, "after": after or None}
            )
            answered = await clerk.graphql(
                ALERTS if alerts else INCIDENTS, **variables, pagination=pagination
            )
            assert answered[name] == page
            if not alerts:
                assert answered["incident_stats"] == _counts(fold, asked)
            info = page["page_info"]
            assert info["total_count"] == len(expected)
            assert info["total_pages"] == -(-len(expected) // size)
            assert info["has_previous_page"] is bool(found)
            found += page[name]
            after, number = info["end_cursor"] or "", number + 1
            if not info["has_next_page"]:
                break
        assert found == expected


def _expected(fold: Fold, asked: Question, *, alerts: bool) -> list[Any]:
    return list(fold.wanted_alerts(asked) if alerts else fold.wanted(asked))


def _counts(fold: Fold, asked: Question) -> dict[str, Any]:
    found: list[Incident] = fold.wanted(asked)
    active = [each for each in found if each.is_active]
    return {
        "total": len(found),
        "active": len(active),
        "resolved": len(found) - len(active),
        "by_severity": {
            level.value.lower(): sum(each.severity is level for each in active)
            for level in Severity
        },
    }


async def incidents_agree(clerk: Clerk, fold: Fold, events: list[Any]) -> None:
    """Every incident, and all that belongs to it, is the same everywhere."""
    last = {each["incident"]["id"]: each["incident"] for each in events if each["incident"]}
    assert last.keys() == fold.incidents.keys()
    epoch = clerk.served.store.epoch
    for name, incident in fold.incidents.items():
        path = f"/v1/incidents/{name}"
        whole = (await clerk.graphql(WHOLE, id=name))["incident"]
        comments, timeline = whole.pop("comments"), whole.pop("timeline")
        related = [each["id"] for each in whole.pop("related_incidents")]
        alerts = [each["id"] for each in whole.pop("alerts")]
        assert whole == await clerk.rest(path) == last[name] == plain(incident)
        assert comments == await clerk.rest(f"{path}/comments", first=100)
        assert comments["comments"] == plain(fold.comments_of(name))
        assert timeline == await clerk.rest(f"{path}/timeline", first=100)
        lines = plain(fold.lines[name])
        for line in lines:
            line["cursor"] = f"{epoch}:{line.pop('offset')}"
        assert timeline["events"] == lines
        assert alerts == [each.id for each in fold.alerts_of(name)]
        assert related == fold.related(name)
        found = await clerk.rest("/v1/alerts", incident_id=name, page_size=100)
        assert [each["id"] for each in found["alerts"]] == alerts
        assert len(alerts) == incident.alert_count


@pytest.fixture(scope="module")
def application() -> Served:
    """One for all histories: to make it takes longer than to live through one."""

    async def made() -> Served:
        await trio.lowlevel.checkpoint()
        return recovering()

    return trio.run(made)


async def agree(served: Served, history: History, asked: Question, limit: int) -> None:
    tick = [START]
    async with serving(clock=lambda: tick[0], again=served) as served:
        await live(served, history, tick)
        clerk, fold = Clerk(served), Fold.of(served.store.records)
        events = await clerk.events(limit)
        assert [each["cursor"] for each in events] == [
            f"{served.store.epoch}:{record.offset}" for record in served.store.records
        ]
        await incidents_agree(clerk, fold, events)
        for alerts in (False, True):
            await pages_agree(clerk, asked, fold, alerts=alerts)


ANY = given(history=HISTORIES, asked=QUESTIONS, limit=st.integers(1, 5))


@settings(max_examples=200)
@ANY
async def test_they_agree(
    application: Served, history: History, asked: Question, limit: int
) -> None:
    await agree(application, history, asked, limit)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))  # so that processes can share them
@settings(max_examples=1_000, derandomize=False, suppress_health_check=[HealthCheck.too_slow])
@ANY
async def test_they_agree_on_ten_thousand_histories(
    application: Served, history: History, asked: Question, limit: int, part: int
) -> None:
    await agree(application, history, asked, limit)
