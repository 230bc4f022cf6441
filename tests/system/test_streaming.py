"""The five subscriptions with their filters, and queries and mutations, over a real WebSocket."""

from uuid import uuid4

import pytest

from incident_manager.actors.answers import Caller
from incident_manager.actors.commands import (
    AddComment,
    AssignIncident,
    CloseIncident,
    Command,
    EscalateIncident,
    UpdateIncident,
)
from incident_manager.actors.vocabulary import IncidentState, Severity
from system.client import Client, alert_input, opened
from system.harness import LocalServer

RESOLVE = """mutation ($id: UUID!, $version: Int) {
    resolveIncident(id: $id, input: {method: MANUAL, notes: "n"}, expectedVersion: $version) {
        id state version resolvedAt resolution { resolutionMethod notes } } }"""


async def command(server: LocalServer, *commands: Command) -> None:
    """Have something done that has no door of its own yet."""
    answered = await server.gateway.running().ask(commands, Caller("ann", "ann"))
    assert len(answered.results) == len(commands)


async def last(client: Client, stream: str) -> None:
    """Fail if the stream has anything more than what was taken of it."""
    await client.ping()
    left = [message for message in client.kept if message.get("id") == stream]
    assert left == []


async def test_new_incidents(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        every = await client.subscribe("subscription { newIncidents { id title alertCount } }")
        some = await client.subscribe(
            """subscription ($severities: [Severity!], $filter: StreamFilterInput) {
                newIncidents(severities: $severities, filter: $filter) { title severity } }""",
            {"severities": ["P0", "P1"], "filter": {"sources": ["a"], "labels": {"team": "x"}}},
        )
        fine = {"severity": "P1", "source": "a", "labels": {"team": "x", "more": "y"}}
        ack = await client.submit("first", **fine)
        await client.submit("too mild", **{**fine, "severity": "P2"})
        await client.submit("of another source", **{**fine, "source": "b"})
        await client.submit("of another team", **{**fine, "labels": {"team": "y"}})
        joined = await client.submit("first", **fine)
        await client.submit("second", **fine)

        assert joined["status"] == "DUPLICATE"
        assert joined["incidentId"] == ack["incidentId"]
        first = await client.next(every)
        assert first["data"] == {
            "newIncidents": {"id": ack["incidentId"], "title": "first", "alertCount": 1}
        }
        titles = [(await client.next(every))["data"]["newIncidents"]["title"] for _ in range(4)]
        assert titles == ["too mild", "of another source", "of another team", "second"]
        got = [(await client.next(some))["data"]["newIncidents"] for _ in range(2)]
        assert got == [
            {"title": "first", "severity": "P1"},
            {"title": "second", "severity": "P1"},
        ]
        await last(client, every)
        await last(client, some)


async def test_critical_incidents(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        stream = await client.subscribe(
            """subscription { criticalIncidents(filter: {sources: ["a"]}) {
                id title severity isCritical } }"""
        )
        mild = await client.submit("raised", source="a", severity="P3")
        await client.submit("of another source", source="b", severity="P0")
        await client.submit("created so", source="a", severity="P0")
        await command(server, EscalateIncident(mild["incidentId"], Severity.P1, "worse"))
        # It is critical already: no news.
        await command(server, EscalateIncident(mild["incidentId"], Severity.P0, "worse still"))

        created = (await client.next(stream))["data"]["criticalIncidents"]
        assert (created["title"], created["severity"]) == ("created so", "P0")
        raised = (await client.next(stream))["data"]["criticalIncidents"]
        assert raised == {
            "id": mild["incidentId"], "title": "raised", "severity": "P1", "isCritical": True,
        }  # fmt: skip
        await last(client, stream)


async def test_incident_updates(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        stream = await client.subscribe(
            """subscription { incidentUpdates {
                updateType incidentId actor changedFields incident { state version } } }"""
        )
        ack = await client.submit("one")
        incident = ack["incidentId"]
        await client.submit("one")
        await command(server, AssignIncident(incident, ("bob",)))
        await command(server, AddComment(incident, "hm"))
        await command(server, UpdateIncident(incident, state=IncidentState.MONITORING))
        await client.data(RESOLVE, {"id": incident})
        await command(server, CloseIncident(incident))

        got = [(await client.next(stream))["data"]["incidentUpdates"] for _ in range(7)]
        assert {update["incidentId"] for update in got} == {incident}
        assert [
            (update["updateType"], update["incident"]["state"], update["incident"]["version"])
            for update in got
        ] == [
            ("CREATED", "NEW", 1),
            ("UPDATED", "NEW", 1),  # an alert that joins leaves the version
            ("ASSIGNED", "NEW", 2),
            ("COMMENT_ADDED", "NEW", 3),
            ("STATE_CHANGED", "MONITORING", 4),
            ("RESOLVED", "RESOLVED", 5),
            ("STATE_CHANGED", "CLOSED", 6),
        ]
        assert got[2]["changedFields"] == ["assignees"]
        assert (got[2]["actor"], got[5]["actor"]) == ("ann", "anonymous")
        await last(client, stream)


async def test_incident_updates_pass_by_the_image_before_or_after(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        active = await client.subscribe(
            """subscription { incidentUpdates(activeOnly: true, severities: [P2]) {
                updateType incident { severity } } }"""
        )
        one, two = await client.submit("one"), await client.submit("two")
        narrow = await client.subscribe(
            """subscription ($ids: [UUID!]) { incidentUpdates(incidentIds: $ids) {
                incidentId updateType } }""",
            {"ids": [two["incidentId"], str(uuid4())]},
        )
        await client.data(RESOLVE, {"id": one["incidentId"]})  # active before: it passes
        await command(server, CloseIncident(one["incidentId"]))  # not active before or after
        await command(server, EscalateIncident(two["incidentId"], Severity.P0, "r"))  # P2 before
        await command(server, AddComment(two["incidentId"], "P0 before and after"))

        got = [(await client.next(active))["data"]["incidentUpdates"] for _ in range(4)]
        assert [(update["updateType"], update["incident"]["severity"]) for update in got] == [
            ("CREATED", "P2"),
            ("CREATED", "P2"),
            ("RESOLVED", "P2"),
            ("UPDATED", "P0"),
        ]
        await last(client, active)
        two_only = [(await client.next(narrow))["data"]["incidentUpdates"] for _ in range(2)]
        assert two_only == [
            {"incidentId": two["incidentId"], "updateType": "UPDATED"},
            {"incidentId": two["incidentId"], "updateType": "COMMENT_ADDED"},
        ]
        await last(client, narrow)


async def test_incident_state_changes(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        one, two = await client.submit("one"), await client.submit("two")
        query = """subscription ($id: UUID) { incidentStateChanges(incidentId: $id) {
            incidentId oldState newState changedBy incident { title } } }"""
        every = await client.subscribe(query)
        single = await client.subscribe(query, {"id": two["incidentId"]})
        identified = UpdateIncident(one["incidentId"], state=IncidentState.IDENTIFIED)
        await command(server, identified, AddComment(one["incidentId"], "no state changes"))
        await client.data(RESOLVE, {"id": two["incidentId"]})

        resolved = {
            "incidentId": two["incidentId"], "oldState": "NEW", "newState": "RESOLVED",
            "changedBy": "anonymous", "incident": {"title": "two"},
        }  # fmt: skip
        assert (await client.next(every))["data"]["incidentStateChanges"] == {
            "incidentId": one["incidentId"], "oldState": "NEW", "newState": "IDENTIFIED",
            "changedBy": "ann", "incident": {"title": "one"},
        }  # fmt: skip
        assert (await client.next(every))["data"]["incidentStateChanges"] == resolved
        assert (await client.next(single))["data"]["incidentStateChanges"] == resolved
        await last(client, every)
        await last(client, single)


async def test_alerts(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        stream = await client.subscribe(
            """subscription { alerts(sources: ["a", "b"], severities: [P0, P4]) {
                id title status deduplicated incident { id alertCount } } }"""
        )
        first = await client.submit("one", source="a", severity="P0")
        joined = await client.submit("one", source="a", severity="P0")
        await client.submit("of another source", source="c", severity="P0")
        await client.submit("of another severity", source="a", severity="P1")
        await client.submit("two", source="b", severity="P4")

        got = [(await client.next(stream))["data"]["alerts"] for _ in range(3)]
        assert [(alert["title"], alert["status"], alert["deduplicated"]) for alert in got] == [
            ("one", "CREATED_INCIDENT", False),
            ("one", "DEDUPLICATED", True),
            ("two", "CREATED_INCIDENT", False),
        ]
        assert [alert["id"] for alert in got[:2]] == [first["alertId"], joined["alertId"]]
        assert {alert["incident"]["id"] for alert in got[:2]} == {first["incidentId"]}
        await last(client, stream)


async def test_complete_ends_a_stream_and_frees_its_id(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        query = "subscription { newIncidents { title } }"
        stream = await client.subscribe(query, operation_id="x")
        await client.submit("one")
        await client.next(stream)
        await client.send("complete", id=stream)
        await client.submit("two")
        await last(client, stream)  # nothing, and no echo
        await client.subscribe(query, operation_id="x")
        await client.submit("three")
        assert (await client.next("x"))["data"]["newIncidents"]["title"] == "three"


async def test_one_projection_for_many(server: LocalServer) -> None:
    """One GraphQL execution per event and shape, whatever the number of subscribers or filters."""
    async with opened(server.ws) as one, opened(server.ws) as other:
        streams = []
        for client in (one, other):
            for severities in (["P2"], ["P1", "P2"], []):
                stream = await client.subscribe(
                    "subscription ($s: [Severity!]) { newIncidents(severities: $s) { title } }",
                    {"s": severities},
                )
                streams.append((client, stream))
        await one.submit("counted")
        for client, stream in streams:
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "counted"
        assert server.gateway.running().streams.projections.made == 1


async def test_queries_and_mutations_over_the_socket(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        ack = await client.submit("one", severity="P1", labels={"team": "x"})
        query = """query ($id: UUID!) {
            cursor health { status components { name status } }
            incident(id: $id) { title labels version alertCount }
            incidents(filter: {severities: [P1]}) { incidents { id } cursor }
        }"""
        data = await client.data(query, {"id": ack["incidentId"]})
        assert data["incident"] == {
            "title": "one", "labels": {"team": "x"}, "version": 1,
            "alertCount": 1,
        }  # fmt: skip
        assert data["incidents"]["incidents"] == [{"id": ack["incidentId"]}]
        assert data["incidents"]["cursor"] == data["cursor"]
        assert data["cursor"].endswith(":1")
        assert data["health"]["status"] == "HEALTHY"

        resolved = await client.data(RESOLVE, {"id": ack["incidentId"], "version": 1})
        assert resolved["resolveIncident"]["resolution"] == {
            "resolutionMethod": "MANUAL", "notes": "n",
        }  # fmt: skip
        late = await client.execute(RESOLVE, {"id": ack["incidentId"], "version": 1})
        assert late["errors"][0]["extensions"]["code"] == "CONFLICT"
        again = await client.execute(RESOLVE, {"id": ack["incidentId"]})
        assert again["errors"][0]["extensions"]["code"] == "INVALID_STATE_TRANSITION"
        assert (await client.data(query, {"id": str(uuid4())}))["incident"] is None


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("subscription {", None, "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { newIncidents { nothing } }", None, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription ($s: [Severity!]) { newIncidents(severities: $s) { id } }", {"s": ["P9"]},
         "BAD_USER_INPUT"),
        ("subscription { incidentUpdates(heartbeatSeconds: 0) { updateType } }", None,
         "BAD_USER_INPUT"),
    ],
)  # fmt: skip
async def test_an_error_ends_its_operation_alone(
    server: LocalServer, query: str, variables: dict[str, object] | None, code: str
) -> None:
    async with opened(server.ws) as client:
        good = await client.subscribe("subscription { newIncidents { title } }")
        bad = await client.begin(query, variables, operation_id="bad")
        assert [error["extensions"]["code"] for error in await client.error(bad)] == [code]
        ack = await client.execute(
            "mutation ($i: SubmitAlertInput!) { submitAlert(input: $i) { status } }",
            {"i": alert_input("after it")},
        )
        assert ack["data"]["submitAlert"]["status"] == "ACCEPTED"
        assert (await client.next(good))["data"]["newIncidents"]["title"] == "after it"
        await client.subscribe("subscription { newIncidents { title } }", operation_id="bad")
