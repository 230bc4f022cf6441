"""The fields of Query."""

from typing import Any

import pytest
from attrs import evolve

from incident_manager.actors.model import Resolution
from incident_manager.actors.vocabulary import IncidentState, Kind, ResolutionMethod, Severity
from unit.actors.builders import change, make_alert, make_incident, make_record, write
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


async def test_me(desk: Desk) -> None:
    result = await desk.run("{ me { name roles selectors expiresAt } }")
    assert result["data"] == {
        "me": {
            "name": "rae",
            "roles": ["VIEWER", "RESPONDER", "ADMIN"],
            "selectors": {"tenant": "acme"},
            "expiresAt": "2023-11-14T22:13:20.000000Z",
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


@pytest.mark.parametrize(
    ("filter_", "field"),
    [
        ({"labels": {str(n): "" for n in range(65)}}, "labels"),
        ({"labels": {"\ud800": "x"}}, None),
        ({"sources": ["\ud800"]}, None),
        ({"assignedTo": "\0"}, None),
    ],
)
async def test_conditions_that_cannot_be(
    desk: Desk, filter_: dict[str, object], field: str | None
) -> None:
    await filled(desk)
    for query in (LIST, "query ($filter: IncidentFilterInput) { incidentStats(filter: $filter) "
                  "{ total } }"):  # fmt: skip
        result = await desk.run(query, filter=filter_)
        if field is None:
            [found] = result["data"].values()
            assert 0 in (found.get("total"), found.get("pageInfo", {}).get("totalCount"))
        else:
            [error] = result["errors"]
            assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_a_page_beyond_every_list(desk: Desk) -> None:
    await filled(desk)
    page = await listed(desk, page={"page": 2**31 - 1, "pageSize": 100})
    assert page["titles"] == []
    assert page["pageInfo"]["hasPreviousPage"]
    assert page["pageInfo"]["endCursor"] is None


NAMED = """query ($page: PaginationInput) {
  active: activeIncidents(pagination: $page) { incidents { title } pageInfo { totalCount } }
  critical: criticalIncidents(pagination: $page) { incidents { title } pageInfo { totalCount } }
}"""


async def test_active_and_critical_incidents(desk: Desk) -> None:
    await filled(desk)
    result = await desk.run(NAMED, page={"first": 3})
    assert result["data"] == {
        "active": {
            "incidents": [{"title": "3"}, {"title": "2"}, {"title": "1"}],
            "pageInfo": {"totalCount": 4},
        },
        "critical": {
            "incidents": [{"title": "1"}, {"title": "0"}],
            "pageInfo": {"totalCount": 2},
        },
    }
    result = await desk.run(NAMED, page={"first": 101})
    assert {each["path"][0] for each in result["errors"]} <= {"active", "critical"}
    assert {each["extensions"]["field"] for each in result["errors"]} == {"first"}


async def test_counts(desk: Desk) -> None:
    await filled(desk)
    query = """query ($filter: IncidentFilterInput) { incidentStats(filter: $filter)
        { total active resolved bySeverity { p0 p1 p2 p3 p4 } } }"""
    result = await desk.run(query)
    assert result["data"]["incidentStats"] == {
        "total": 5,
        "active": 4,
        "resolved": 1,
        "bySeverity": {"p0": 1, "p1": 1, "p2": 1, "p3": 1, "p4": 0},
    }
    result = await desk.run(query, filter={"severities": ["P3", "P4"], "states": []})
    assert result["data"]["incidentStats"] == {
        "total": 2,
        "active": 1,
        "resolved": 1,
        "bySeverity": {"p0": 0, "p1": 0, "p2": 0, "p3": 1, "p4": 0},
    }


SEARCH = """query ($text: String!, $page: PaginationInput) {
  searchIncidents(query: $text, pagination: $page) {
    incidents { title } edges { cursor } pageInfo { totalCount endCursor hasNextPage } cursor
  }
}"""


async def test_a_search(desk: Desk) -> None:
    first = make_incident(1, title="Disk is full", description="on db-7")
    second = make_incident(2, title="Slow", description="the disk is slow")
    await write(desk.journal, make_record(1, first), make_record(2, second))

    async def found(text: str, **page: object) -> Any:
        return (await desk.run(SEARCH, text=text, page=page))["data"]["searchIncidents"]

    both = await found("DIS")
    assert [each["title"] for each in both["incidents"]] == ["Disk is full", "Slow"]
    assert both["cursor"].endswith(":2")
    one = await found("disk", first=1)
    assert (one["pageInfo"]["totalCount"], one["pageInfo"]["hasNextPage"]) == (2, True)
    two = await found("disk", first=1, after=one["pageInfo"]["endCursor"])
    assert [each["title"] for each in two["incidents"]] == ["Slow"]
    assert [each["title"] for each in (await found("disk", page=1, pageSize=1))["incidents"]] == [
        "Slow"
    ]
    for nothing in ("", " ", "*", '"', "disk AND", "\ud800", "db-7 slow"):
        assert (await found(nothing))["incidents"] == [], nothing
    assert len((await found("db-7"))["incidents"]) == 1


async def test_a_search_for_too_many_words(desk: Desk) -> None:
    for text, page, field in (
        ("word " * 33, {}, "query"),
        ("word", {"after": "x"}, "after"),
        ("word", {"pageSize": 0}, "pageSize"),
    ):
        [error] = (await desk.run(SEARCH, text=text, page=page))["errors"]
        assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


ALERTS = """query ($filter: AlertFilterInput, $page: PaginationInput) {
  alerts(filter: $filter, pagination: $page) {
    alerts { id incident { title } }
    pageInfo { page pageSize totalCount totalPages hasNextPage hasPreviousPage endCursor }
    cursor
  }
}"""


async def alarmed(desk: Desk) -> None:
    one, two = make_incident(1), make_incident(2)
    alerts = [
        make_alert(1, one, severity=Severity.P0),
        make_alert(2, one, source="grafana", labels={"team": "db"}),
        make_alert(3, two, labels={"team": "db", "zone": "a"}),
    ]
    await write(
        desk.journal,
        make_record(1, one, alert=alerts[0], kind=Kind.ALERT),
        evolve(change(2, one, Kind.ALERT), alert=alerts[1]),
        make_record(3, two, alert=alerts[2], kind=Kind.ALERT),
    )


async def test_alerts_page(desk: Desk) -> None:
    await alarmed(desk)
    result = await desk.run(ALERTS, page={"pageSize": 2})
    found = result["data"]["alerts"]
    assert found["alerts"] == [
        {"id": make_alert(3).id, "incident": {"title": make_incident(2).title}},
        {"id": make_alert(2).id, "incident": {"title": make_incident(1).title}},
    ]
    assert found["cursor"].endswith(":3")
    end = found["pageInfo"].pop("endCursor")
    assert found["pageInfo"] == {
        "page": 0,
        "pageSize": 2,
        "totalCount": 3,
        "totalPages": 2,
        "hasNextPage": True,
        "hasPreviousPage": False,
    }
    result = await desk.run(ALERTS, page={"first": 2, "after": end})
    assert [each["id"] for each in result["data"]["alerts"]["alerts"]] == [make_alert(1).id]
    [error] = (await desk.run(ALERTS, page={"after": "x"}))["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


@pytest.mark.parametrize(
    ("filter_", "numbers"),
    [
        ({}, [3, 2, 1]),
        ({"sources": ["grafana"], "severities": []}, [2]),
        ({"severities": ["P0"]}, [1]),
        ({"incidentId": make_incident(1).id}, [2, 1]),
        ({"labels": {"team": "db"}}, [3, 2]),
        ({"receivedAfter": "2023-11-14T22:13:22Z"}, [3]),
        ({"labels": {"team": "db"}, "sources": ["prometheus"]}, [3]),
    ],
)
async def test_alerts_are_filtered(
    desk: Desk, filter_: dict[str, object], numbers: list[int]
) -> None:
    await alarmed(desk)
    result = await desk.run(ALERTS, filter=filter_)
    ids = [each["id"] for each in result["data"]["alerts"]["alerts"]]
    assert ids == [make_alert(number).id for number in numbers]


async def test_one_alert(desk: Desk) -> None:
    await alarmed(desk)
    query = "query ($id: UUID!) { alert(id: $id) { source status incidentId } }"
    result = await desk.run(query, id=make_alert(2).id)
    assert result["data"]["alert"] == {
        "source": "grafana",
        "status": "CREATED_INCIDENT",
        "incidentId": make_incident(1).id,
    }
    assert (await desk.run(query, id=make_alert(9).id))["data"] == {"alert": None}
