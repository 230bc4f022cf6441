"""The fields of Query."""

from typing import Any

from incident_manager.actors.model import Resolution
from incident_manager.actors.vocabulary import IncidentState, ResolutionMethod, Severity
from unit.actors.builders import change, make_incident, make_record, write
from unit.schema.desk import Desk


async def test_health(desk: Desk) -> None:
    result = await desk.run(
        "{ health { status version uptimeSeconds components { name status message } } }"
    )
    assert result["data"] == {
        "health": {
            "status": "DEGRADED",
            "version": "1.2.3",
            "uptimeSeconds": 42,
            "components": [
                {"name": "journal", "status": "HEALTHY", "message": None},
                {"name": "hub", "status": "DEGRADED", "message": "restarting"},
            ],
        }
    }


async def test_cursor(desk: Desk) -> None:
    await write(desk.journal, make_record(1), make_record(2))
    bounds = await desk.journal.bounds()
    assert await desk.run("{ cursor }") == {"data": {"cursor": f"{bounds.epoch}:2"}}


async def test_every_field_of_an_incident(desk: Desk) -> None:
    incident = make_incident(
        severity=Severity.P1,
        assignees=("rae", "kim"),
        affected_resources=("db",),
        labels={"team": "db"},
        metadata={"run": "1"},
        acknowledged_at=0,
        acknowledged_by="kim",
        resolved_at=1,
        closed_at=2,
        state=IncidentState.CLOSED,
        resolution=Resolution(1, "rae", ResolutionMethod.AUTOMATED, "restarted", "a leak"),
        alert_count=3,
        version=4,
    )
    await write(desk.journal, make_record(1, incident))
    result = await desk.run(
        "query ($id: UUID!) { incident(id: $id) { id title description severity state incidentType"
        " source createdAt updatedAt acknowledgedAt acknowledgedBy resolvedAt closedAt assignedTo"
        " assignees affectedResources labels metadata fingerprint isActive isCritical alertCount"
        " version resolution { resolvedAt resolvedBy resolutionMethod rootCause notes } } }",
        id=incident.id.upper(),
    )
    assert result == {
        "data": {
            "incident": {
                "id": incident.id,
                "title": "Checkout is slow, case 1",
                "description": "p99 above 2 s",
                "severity": "P1",
                "state": "CLOSED",
                "incidentType": "PERFORMANCE",
                "source": "prometheus",
                "createdAt": "2023-11-14T22:13:21.000000Z",
                "updatedAt": "2023-11-14T22:13:21.000000Z",
                "acknowledgedAt": "1970-01-01T00:00:00.000000Z",
                "acknowledgedBy": "kim",
                "resolvedAt": "1970-01-01T00:00:00.000001Z",
                "closedAt": "1970-01-01T00:00:00.000002Z",
                "assignedTo": "rae",
                "assignees": ["rae", "kim"],
                "affectedResources": ["db"],
                "labels": {"team": "db"},
                "metadata": {"run": "1"},
                "fingerprint": "fingerprint-1",
                "isActive": False,
                "isCritical": True,
                "alertCount": 3,
                "version": 4,
                "resolution": {
                    "resolvedAt": "1970-01-01T00:00:00.000001Z",
                    "resolvedBy": "rae",
                    "resolutionMethod": "AUTOMATED",
                    "rootCause": "a leak",
                    "notes": "restarted",
                },
            }
        }
    }


async def test_an_incident_that_is_not_there(desk: Desk) -> None:
    result = await desk.run('{ incident(id: "00000000-0000-4000-8000-000000000009") { id } }')
    assert result == {"data": {"incident": None}}


LIST = """query ($filter: IncidentFilterInput, $page: PaginationInput, $sort: IncidentSortInput) {
  incidents(filter: $filter, pagination: $page, sort: $sort) {
    incidents { title }
    edges { cursor node { title } }
    pageInfo { page pageSize totalCount totalPages hasNextPage hasPreviousPage endCursor }
    cursor
  }
}"""


async def listed(desk: Desk, **variables: object) -> dict[str, Any]:
    result = await desk.run(LIST, **variables)
    assert "errors" not in result, result["errors"]
    found: dict[str, Any] = result["data"]["incidents"]
    titles = [each["title"] for each in found["incidents"]]
    assert titles == [edge["node"]["title"] for edge in found["edges"]]
    return {**found, "titles": titles}


async def filled(desk: Desk) -> None:
    made = [make_incident(n, title=f"{n}", severity=Severity(f"P{n}")) for n in range(5)]
    records = [make_record(n + 1, each) for n, each in enumerate(made)]
    resolved = change(6, made[4], state=IncidentState.RESOLVED)
    await write(desk.journal, *records, resolved)


async def test_a_list_pages_by_number(desk: Desk) -> None:
    await filled(desk)
    first = await listed(desk, page={"pageSize": 2})
    assert first["titles"] == ["4", "3"]
    assert first["cursor"].endswith(":6")
    info = first["pageInfo"]
    assert info == {
        "page": 0,
        "pageSize": 2,
        "totalCount": 5,
        "totalPages": 3,
        "hasNextPage": True,
        "hasPreviousPage": False,
        "endCursor": first["edges"][-1]["cursor"],
    }
    last = await listed(desk, page={"page": 2, "pageSize": 2})
    assert last["titles"] == ["0"]
    assert (last["pageInfo"]["hasNextPage"], last["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_a_list_pages_by_place(desk: Desk) -> None:
    await filled(desk)
    seen: list[str] = []
    after = None
    while True:
        page = await listed(
            desk,
            page={"first": 2, "after": after},
            sort={"field": "SEVERITY", "order": "ASC"},
        )
        assert page["pageInfo"]["page"] is None
        seen += page["titles"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["4", "3", "2", "1", "0"]


async def test_a_list_is_filtered(desk: Desk) -> None:
    await filled(desk)
    active = await listed(desk, filter={"activeOnly": True, "severities": ["P3", "P4"]})
    assert active["titles"] == ["3"]
    created = await listed(desk, filter={"createdAfter": "2023-11-15T00:13:22+02:00"})
    assert created["titles"] == ["4", "3"]


async def test_a_place_of_another_list_is_refused(desk: Desk) -> None:
    await filled(desk)
    other = (await listed(desk, page={"first": 1}))["pageInfo"]["endCursor"]
    for after in (other, "nonsense", ""):
        result = await desk.run(LIST, page={"first": 1, "after": after}, sort={"field": "SEVERITY"})
        [error] = result["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}
        assert "after is not a cursor of this list" in error["message"]
