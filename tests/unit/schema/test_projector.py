"""The projector: one execution, and bytes that the fan-out can add to."""

import gc
import weakref
from typing import Any

import msgspec
import pytest
from attrs import evolve
from graphql import Executor, GraphQLNonNull

from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.model import Resolution
from incident_manager.actors.ports import Projector, extend
from incident_manager.actors.projections import Projections
from incident_manager.actors.replays import Replays
from incident_manager.actors.streams import StreamFilter
from incident_manager.actors.vocabulary import (
    AlertStatus,
    IncidentState,
    Kind,
    ResolutionMethod,
    Severity,
)
from incident_manager.schema.build import schema
from incident_manager.schema.operation import Preparer
from incident_manager.schema.projector import GraphQLProjector
from incident_manager.schema.shape import GraphQLShape, shape_of
from incident_manager.schema.tally import Most
from unit.actors.builders import (
    before_of,
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
)
from unit.schema.desk import Desk

PREPARER = Preparer()
INCIDENT = make_incident(labels={"team": "db"}, assignees=("rae", "kim"))
CREATED = make_record(1, INCIDENT)


def shape(query: str) -> GraphQLShape:
    return shape_of(PREPARER.prepare(f"subscription {query}"))


async def test_a_payload_is_data_and_cursor(desk: Desk) -> None:
    projector: Projector = GraphQLProjector(desk)
    asked = shape(
        "{ newIncidents { id assignedTo isActive labels createdAt resolution { notes } } }"
    )
    assert projector.project(asked, CREATED, "e1:1") == (
        b'{"data":{"newIncidents":{"id":"00000000-0000-4000-8000-000000000001",'
        b'"assignedTo":"rae","isActive":true,"labels":{"team":"db"},'
        b'"createdAt":"2023-11-14T22:13:21.000000Z","resolution":null}},'
        b'"extensions":{"cursor":"e1:1"}}'
    )


async def test_a_payload_can_be_extended(desk: Desk) -> None:
    payload = GraphQLProjector(desk).project(shape("{ newIncidents { id } }"), CREATED, "e1:1")
    assert msgspec.json.decode(extend(payload, b'"recovered":true'))["extensions"] == {
        "cursor": "e1:1",
        "recovered": True,
    }


async def test_each_event_is_one_execution_with_its_own_values(desk: Desk) -> None:
    projector = GraphQLProjector(desk)
    asked = shape("{ incidentUpdates { updateType changedFields incident { version state } } }")
    record, state = CREATED, INCIDENT
    for offset in range(2, 30):
        record = change(offset, state, state=list(IncidentState)[offset % 5])
        assert record.incident is not None
        state = record.incident
        payload = msgspec.json.decode(projector.project(asked, record, "e:1"))
        assert payload["data"]["incidentUpdates"]["incident"] == {
            "version": state.version,
            "state": state.state,
        }
    assert projector.executions == 28


async def test_what_is_collected_is_collected_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """graphql-core remembers by the identity of lists: ours must stay the same for a shape."""
    built: list[Executor[Any]] = []
    original = Executor.build_per_event_executor

    def remember(executor: Executor[Any], payload: object) -> Executor[Any]:
        built.append(executor)
        return original(executor, payload)

    monkeypatch.setattr(Executor, "build_per_event_executor", remember)
    projector = GraphQLProjector(desk)
    asked = shape("{ incidentUpdates { actor incident { id resolution { notes } } } }")
    for _ in range(50):
        projector.project(asked, CREATED, "e:1")
    assert len(built) == 50
    assert len({id(each) for each in built}) == 1
    assert len(built[0]._relevant_sub_fields) == 2


ALL = {
    "criticalIncidents": "id severity isCritical",
    "newIncidents": "title description source fingerprint metadata affectedResources",
    "incidentStateChanges": "incidentId oldState newState changedBy timestamp incident { id }",
    "incidentUpdates": "updateType incidentId timestamp actor incident { resolution { notes "
    "resolutionMethod resolvedBy resolvedAt rootCause } resolvedAt alertCount updatedAt }",
    "alerts": "id externalId source title description severity alertType incidentType labels "
    "affectedServices runbookUrl annotations timestamp receivedAt status incidentId deduplicated "
    "fingerprint __typename",
}


@pytest.mark.parametrize("field", ALL)
async def test_every_stream_is_projected(desk: Desk, field: str) -> None:
    resolution = Resolution(9, "rae", ResolutionMethod.MANUAL, "restarted", "a leak")
    after = make_incident(
        severity=Severity.P0, state=IncidentState.RESOLVED, resolution=resolution, resolved_at=9
    )
    alert = make_alert(1, after, annotations={"a": "b"}, affected_services=("db",))
    record = make_record(2, after, kind=Kind.RESOLVE, before=before_of(INCIDENT), alert=alert)
    asked = shape(f"{{ x: {field} {{ {ALL[field]} }} }}")
    payload = msgspec.json.decode(GraphQLProjector(desk).project(asked, record, "e:2"))
    assert list(payload) == ["data", "extensions"]
    found = payload["data"]["x"]
    if field == "incidentUpdates":
        assert found["updateType"] == "RESOLVED"
        assert found["incident"]["resolution"] == {
            "notes": "restarted",
            "resolutionMethod": "MANUAL",
            "resolvedBy": "rae",
            "resolvedAt": "1970-01-01T00:00:00.000009Z",
            "rootCause": "a leak",
        }
    if field == "alerts":
        assert found["incidentId"] == INCIDENT.id
        assert found["affectedServices"] == ["db"]
        assert found["__typename"] == "Alert"


async def test_a_heartbeat(desk: Desk) -> None:
    asked = shape(
        "{ incidentUpdates"
        " { updateType incidentId incident { id } changedFields actor timestamp } }"
    )
    projector = GraphQLProjector(desk)
    payload = msgspec.json.decode(projector.heartbeat(asked, 1_000_000, "e1:9"))
    assert payload == {
        "data": {
            "incidentUpdates": {
                "updateType": "HEARTBEAT",
                "incidentId": None,
                "incident": None,
                "changedFields": [],
                "actor": None,
                "timestamp": "1970-01-01T00:00:01.000000Z",
            }
        },
        "extensions": {"cursor": "e1:9"},
    }


async def test_a_field_that_fails_is_an_error_in_its_payload(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    broken = evolve(CREATED, incident=make_incident(acknowledged_at=10**18))  # year 33658
    projector = GraphQLProjector(desk)
    payload = projector.project(shape("{ newIncidents { id acknowledgedAt } }"), broken, "e:1")
    decoded = msgspec.json.decode(payload)
    assert list(decoded) == ["data", "errors", "extensions"]
    assert decoded["data"] == {"newIncidents": {"id": INCIDENT.id, "acknowledgedAt": None}}
    [error] = decoded["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert error["path"] == ["newIncidents", "acknowledgedAt"]
    assert len(caplog.records) == 1
    required = evolve(CREATED, incident=make_incident(created_at=10**18))
    decoded = msgspec.json.decode(
        projector.project(shape("{ newIncidents { createdAt } }"), required, "e:1")
    )
    assert decoded["data"] is None
    assert len(decoded["errors"]) == 1
    assert decoded["extensions"] == {"cursor": "e:1"}
    again = msgspec.json.decode(
        projector.project(shape("{ newIncidents { createdAt } }"), CREATED, "e:2")
    )
    assert "errors" not in again, "the errors of one event are not those of the next"


async def test_relations_are_as_of_delivery(desk: Desk) -> None:
    alert = make_alert(1, INCIDENT)
    changed = change(2, INCIDENT, title="Renamed")
    await write(desk.journal, make_record(1, INCIDENT, alert=alert), changed)
    asked = shape("{ alerts { title incident { id title } again: incident { version } } }")
    projector = GraphQLProjector(desk)
    payload = await projector.project_deep(asked, make_record(1, INCIDENT, alert=alert), "e:1")
    assert msgspec.json.decode(payload) == {
        "data": {
            "alerts": {
                "title": "Checkout is slow",
                "incident": {"id": INCIDENT.id, "title": "Renamed"},
                "again": {"version": 2},
            }
        },
        "extensions": {"cursor": "e:1"},
    }
    assert projector.executions == 1


async def test_every_relation_of_an_incident_is_as_of_delivery(desk: Desk) -> None:
    one, two = make_incident(1), make_incident(2)
    said = evolve(change(3, one, Kind.COMMENT), comment=make_comment(1))
    linked = evolve(change(4, said.incident or one, Kind.LINK), related_id=two.id)
    await write(desk.journal, make_record(1, one), make_record(2, two), said, linked)
    asked = shape(
        "{ newIncidents { version relatedIncidents { title } alerts { id }"
        " comments(first: 1) { comments { content } totalCount }"
        " timeline { events { cursor eventType } } } }"
    )
    payload = await GraphQLProjector(desk).project_deep(asked, make_record(1, one), "e:1")
    epoch = (await desk.journal.bounds()).epoch
    assert msgspec.json.decode(payload)["data"]["newIncidents"] == {
        "version": 1,
        "relatedIncidents": [{"title": two.title}],
        "alerts": [],
        "comments": {"comments": [{"content": make_comment(1).content}], "totalCount": 1},
        "timeline": {
            "events": [
                {"cursor": f"{epoch}:1", "eventType": "CREATED"},
                {"cursor": f"{epoch}:3", "eventType": "COMMENT_ADDED"},
                {"cursor": f"{epoch}:4", "eventType": "LINKED"},
            ]
        },
    }


async def test_relations_that_multiply_end_with_one_error(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make_incident(1), make_incident(2)
    linked = evolve(change(3, one, Kind.LINK), related_id=two.id)
    await write(desk.journal, make_record(1, one), make_record(2, two), linked)
    monkeypatch.setattr("incident_manager.schema.projector.DELIVERY", Most(asks=1, objects=9))
    asked = shape("{ newIncidents { relatedIncidents { relatedIncidents { id } } } }")
    payload = await GraphQLProjector(desk).project_deep(asked, make_record(1, one), "e:1")
    decoded = msgspec.json.decode(payload)
    assert list(decoded) == ["data", "errors", "extensions"]
    assert decoded["data"] is None
    assert [error["extensions"]["code"] for error in decoded["errors"]] == ["COMPLEXITY_LIMITED"]


async def test_a_relation_to_nothing_is_null(desk: Desk) -> None:
    record = evolve(make_record(1, alert=make_alert()), incident=None)
    asked = shape("{ alerts { id incident { id } } }")
    payload = await GraphQLProjector(desk).project_deep(asked, record, "e:1")
    assert msgspec.json.decode(payload)["data"]["alerts"]["incident"] is None


async def test_a_shape_that_is_not_deep_may_be_projected_as_if_it_were(desk: Desk) -> None:
    projector = GraphQLProjector(desk)
    asked = shape("{ newIncidents { id } }")
    deep = await projector.project_deep(asked, CREATED, "e:1")
    assert deep == projector.project(asked, CREATED, "e:1")


async def test_a_deep_error_that_reaches_the_root(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await write(desk.journal, make_record(1, make_incident()))
    alert = make_alert(1, INCIDENT, received_at=10**18)
    record = make_record(1, INCIDENT, alert=alert)
    asked = shape("{ alerts { incident { id } receivedAt } }")
    payload = await GraphQLProjector(desk).project_deep(asked, record, "e:1")
    assert msgspec.json.decode(payload)["data"] is None
    wrong = make_incident(2, created_at=10**18)
    await write(desk.journal, make_record(2, wrong))
    record = make_record(2, wrong, alert=make_alert(2, wrong))
    asked = shape("{ alerts { incident { id createdAt } } }")
    decoded = msgspec.json.decode(await GraphQLProjector(desk).project_deep(asked, record, "e:2"))
    assert decoded["data"] == {"alerts": {"incident": None}}
    assert [each["path"] for each in decoded["errors"]] == [["alerts", "incident", "createdAt"]]


async def test_a_relation_that_must_not_be_null(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    relation = schema.type_map["Alert"].fields["incident"]  # type: ignore[attr-defined]
    monkeypatch.setattr(relation, "type", GraphQLNonNull(relation.type))
    record = make_record(1, INCIDENT, alert=make_alert(1, INCIDENT))  # the journal has it not
    asked = shape("{ alerts { incident { id } } }")
    payload = await GraphQLProjector(desk).project_deep(asked, record, "e:1")
    decoded = msgspec.json.decode(payload)
    assert decoded["data"] is None
    assert [error["path"] for error in decoded["errors"]] == [["alerts", "incident"]]
    assert len(caplog.records) == 1


async def test_a_journal_that_is_away_is_no_null() -> None:
    async with open_memory() as journal:
        closed = Desk(journal)
    record = make_record(1, INCIDENT, alert=make_alert(1, INCIDENT))
    asked = shape("{ alerts { id incident { id } } }")
    with pytest.raises(JournalUnavailable):
        await GraphQLProjector(closed).project_deep(asked, record, "e:1")


async def test_a_deep_shape_is_not_projected_at_once(desk: Desk) -> None:
    record = make_record(1, INCIDENT, alert=make_alert(1, INCIDENT))
    with pytest.raises(TypeError, match="alerts cannot be projected without waiting"):
        GraphQLProjector(desk).project(shape("{ alerts { incident { id } } }"), record, "e:1")


ACME = (("tenant", "acme"),)
OWN = make_incident(1, labels={"tenant": "acme"})
STRANGE = make_incident(2, labels={"tenant": "corp"})


def confined(query: str) -> GraphQLShape:
    return shape_of(PREPARER.prepare(f"subscription {query}"), ACME)


async def test_shapes_of_other_selectors_are_others() -> None:
    query = "{ newIncidents { id } }"
    assert confined(query) is confined(query)
    assert confined(query) != shape(query)
    assert (confined(query).document, confined(query).selectors) == (shape(query).document, ACME)


async def test_who_is_confined_gets_what_is_its_own(desk: Desk) -> None:
    projector = GraphQLProjector(desk)
    asked = confined("{ alerts { id incidentId status } }")
    alert = make_alert(3, STRANGE, labels={"tenant": "acme"}, status=AlertStatus.MERGED)
    record = evolve(change(3, STRANGE, Kind.ALERT), alert=alert)
    payload = msgspec.json.decode(projector.project(asked, record, "x:0"))
    assert payload["data"]["alerts"] == {"id": alert.id, "incidentId": None, "status": "IGNORED"}
    with pytest.raises(ValueError, match="is none of theirs"):
        projector.project(confined("{ newIncidents { id } }"), make_record(2, STRANGE), "x:0")


async def test_the_relations_of_who_is_confined_too(desk: Desk) -> None:
    link = evolve(change(3, OWN, Kind.LINK), related_id=STRANGE.id)
    await write(desk.journal, make_record(1, OWN), make_record(2, STRANGE), link)
    projector = GraphQLProjector(desk)
    query = """{ incidentUpdates { incident { relatedIncidents { id }
        timeline(first: 9) { events { description cursor } } } } }"""
    for asked, related in ((shape(query), [{"id": STRANGE.id}]), (confined(query), [])):
        payload = msgspec.json.decode(await projector.project_deep(asked, link, "x:0"))
        incident = payload["data"]["incidentUpdates"]["incident"]
        assert incident["relatedIncidents"] == related
        text = msgspec.json.encode(incident["timeline"]).decode()
        assert (STRANGE.id in text) is bool(related)


async def test_an_event_of_another_stream_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(ValueError, match="event 1 is none of alerts"):
        GraphQLProjector(desk).project(shape("{ alerts { id } }"), CREATED, "e:1")


async def test_a_plan_goes_with_the_last_who_has_the_shape(desk: Desk) -> None:
    """It is some thirty times as large as its payloads, of which thousands are kept."""
    projector = GraphQLProjector(desk)
    projections = Projections(projector)
    replays = Replays(projections)
    every = StreamFilter()
    asked = shape("{ newIncidents { here_and_nowhere_else: id } }")
    gone = weakref.ref(asked)
    payload = projections.flat(asked, CREATED, "e")
    replays.of(asked, every, [CREATED], "e")
    assert len(projector._plans) == 1
    del asked
    gc.collect()
    assert gone() is None
    assert not projector._plans
    again = shape("{ newIncidents { here_and_nowhere_else: id } }")
    assert projections.flat(again, CREATED, "e") is payload
    assert replays.of(again, every, [CREATED], "e").payloads == [payload]
    assert projector.executions == 1
