import re
from typing import Any

import openapi_spec_validator
import pytest
from jsonschema import Draft202012Validator

from incident_manager.http.rest.openapi import document
from incident_manager.http.web import ROUTES, Route, openapi
from unit.http.served import serving

DOCUMENT = openapi()
DESCRIBED = [route for route in ROUTES if route.operation is not None]


def told(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][re.sub(r"<\w+>", "{id}", route.path)]
    operation: dict[str, Any] = found[route.method.lower()]
    return operation


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_it_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(DOCUMENT)


def test_only_graphql_and_the_pages_for_people_are_left_out() -> None:
    left_out = {route.path for route in ROUTES if route.operation is None}
    assert not [path for path in left_out if path.startswith(("/v1", "/api", "/health"))]


def test_operations_have_names_of_their_own() -> None:
    names = [told(route)["operationId"] for route in DESCRIBED]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", DESCRIBED, ids=name)
def test_an_operation_says_all_that_it_answers(route: Route) -> None:
    found = told(route)
    statuses = {int(status) for status in found["responses"]}
    assert {403, 500} <= statuses
    assert route.least is None or {401, 503, 504} <= statuses
    assert ("<" not in route.path) or {400, 404} <= statuses
    assert route.method == "GET" or {400, 408, 413, 415, 422} <= statuses
    names = {each["name"] for each in found.get("parameters", ())}
    assert ("If-Match" in names) is (412 in statuses)
    assert ("If-None-Match" in names) is (304 in statuses)
    assert ("Idempotency-Key" in names) is (route.method != "GET")
    assert found["summary"]
    assert route.least is None or route.least.name in found["description"]


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    text = str(DOCUMENT)
    used = set(re.findall(r"#/components/(\w+)/([\w-]+)", text))
    there = {
        (kind, each)
        for kind in ("schemas", "responses", "headers")
        for each in DOCUMENT["components"][kind]
    }
    assert used == there


def test_a_route_without_an_operation_is_not_in_it() -> None:
    bare = Route("GET", "/x", None, ROUTES[0].view)
    assert document([bare])["paths"] == {}


async def test_answers_have_the_schemas_that_it_names() -> None:
    async with serving() as served:
        ack = await served.alert(labels={"team": "shop"})
        path = f"/v1/incidents/{ack['incident_id']}"
        await served.post(f"{path}/comments", {"comment": "Seen"})
        await served.post(f"{path}/resolve", {"method": "MANUAL", "notes": "done"})
        for shape, url in {
            "Alert": f"/v1/alerts/{ack['alert_id']}",
            "Alerts": "/v1/alerts",
            "Incident": path,
            "Incidents": "/v1/incidents?first=1",
            "Comments": f"{path}/comments",
            "Timeline": f"{path}/timeline",
            "Events": "/v1/events",
            "Health": "/health",
            "Problem": "/v1/events?after=other:1",
        }.items():
            # Nothing may be there that is not named.
            schemas = {
                name: {**each, "additionalProperties": False} if "properties" in each else each
                for name, each in DOCUMENT["components"]["schemas"].items()
            }
            root = {**schemas[shape], "components": {"schemas": schemas}}
            Draft202012Validator(root).validate((await served.get(url)).json)
