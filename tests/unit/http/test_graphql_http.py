import json
from typing import Any

import pytest

from incident_manager.http.auth import Role
from incident_manager.http.graphql_http import GRAPHQL
from incident_manager.schema.build import sdl
from unit.http.served import ALERT, AUTHENTICATED, SMALL, bearer, recovering, serving

JSON = "application/json"
SUBMIT = """mutation Send($input: SubmitAlertInput!) {
  submitAlert(input: $input) { incidentId status }
}"""
SUBSCRIBE = "subscription { newIncidents { id } }"


def codes(reply: Any) -> list[str]:
    return [error["extensions"]["code"] for error in reply.json["errors"]]


async def test_a_query_and_a_mutation() -> None:
    async with serving() as served:
        sent = await served.post("/graphql", {"query": SUBMIT, "variables": {"input": ALERT}})
        assert sent.status == 200
        ack = sent.json["data"]["submitAlert"]
        assert ack["status"] == "ACCEPTED"
        query = "query One($id: UUID!) { incident(id: $id) { title severity } }"
        found = await served.post(
            "/graphql",
            {
                "query": query,
                "operationName": "One",
                "variables": {"id": ack["incidentId"]},
                "extensions": None,
            },
        )
        assert found.json == {
            "data": {"incident": {"title": ALERT["title"], "severity": ALERT["severity"]}}
        }


async def test_a_query_by_get() -> None:
    queries = "query A { cursor } query One($id: UUID!) { incident(id: $id) { version } }"
    async with serving() as served:
        ack = await served.alert()
        reply = await served.get(
            "/graphql",
            query_string={
                "query": queries,
                "operationName": "One",
                "variables": json.dumps({"id": ack["incident_id"]}),
                "extensions": "",
            },
        )
        assert reply.json == {"data": {"incident": {"version": 1}}}


async def test_a_get_that_is_not_well_formed() -> None:
    async with serving() as served:
        reply = await served.get("/graphql?variables=x&extensions=[1]&operationName=")
        assert reply.status == 400
        named = [error["extensions"]["field"] for error in reply.json["errors"]]
        assert named == ["query", "variables", "extensions"]


@pytest.mark.parametrize("operation", [SUBMIT, "mutation { __typename }"])
async def test_a_mutation_never_by_get(operation: str) -> None:
    async with serving() as served:
        reply = await served.get(
            "/graphql",
            query_string={"query": operation, "variables": json.dumps({"input": ALERT})},
        )
        assert reply.status == 405
        assert reply.headers["Allow"] == "POST"
        assert served.store.records == []


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, GRAPHQL),
        ("*/*", GRAPHQL),
        ("application/*", GRAPHQL),
        (GRAPHQL, GRAPHQL),
        (JSON, JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
        (f"{GRAPHQL}, {JSON}; charset=UTF-8", GRAPHQL),
        (f"{GRAPHQL};q=0.5, {JSON}", JSON),
        (f"{JSON}, */*;q=0.1", JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", GRAPHQL),
    ],
)
async def test_the_answer_has_the_type_that_is_asked_for(accept: str | None, media: str) -> None:
    async with serving() as served:
        headers = {} if accept is None else {"Accept": accept}
        reply = await served.post("/graphql", {"query": "{ cursor }"}, headers=headers)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == f"{media}; charset=utf-8"
        assert reply.headers["Vary"] == "Accept"


async def test_a_type_that_there_is_not() -> None:
    async with serving() as served:
        reply = await served.post(
            "/graphql", {"query": "{ cursor }"}, headers={"Accept": "text/html"}
        )
        assert (reply.status, codes(reply)) == (406, ["BAD_USER_INPUT"])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query($id: UUID!) { incident(id: $id) { id } }"}, "BAD_USER_INPUT"),
        ({"query": "{ cursor }", "operationName": "x", "variables": None}, None),
        ({"query": "query A { cursor } query B { cursor }"}, "BAD_USER_INPUT"),
        ({"query": SUBSCRIBE}, "BAD_USER_INPUT"),
        ({"query": "#" * 65_536 + "{ cursor }"}, "COMPLEXITY_LIMITED"),
    ],
)
async def test_a_refused_operation_is_4xx_in_the_new_type_and_200_in_the_old(
    request_: dict[str, object], code: str | None
) -> None:
    async with serving() as served:
        for accept, status in ((GRAPHQL, 400), (JSON, 200)):
            reply = await served.post("/graphql", request_, headers={"Accept": accept})
            assert reply.status == (200 if code is None else status)
            if code is not None:
                assert codes(reply) == [code]
                assert "data" not in reply.json


async def test_a_subscription_is_told_where_to_go() -> None:
    async with serving() as served:
        reply = await served.post("/graphql", {"query": SUBSCRIBE})
        assert "/graphql/ws" in reply.json["errors"][0]["message"]


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"json": [{"query": "{ cursor }"}]}, 400),
        ({"json": {}}, 400),
        ({"json": {"query": 1, "operationName": 2, "variables": [3], "extensions": "x"}}, 400),
        ({"data": "{", "headers": {"Content-Type": JSON}}, 400),
        ({"data": "{ cursor }", "headers": {"Content-Type": "application/graphql"}}, 415),
        ({"data": b"x" * 1025, "headers": {"Content-Type": JSON}}, 413),
    ],
)
async def test_what_is_no_request_is_4xx_in_either_type(
    given: dict[str, Any], status: int, accept: str
) -> None:
    async with serving(SMALL) as served:
        headers = {"Accept": accept, **given.get("headers", {})}
        reply = await served.ask("POST", "/graphql", **{**given, "headers": headers})
        assert reply.status == status
        assert reply.media_type == accept
        assert set(codes(reply)) == {"BAD_USER_INPUT"}


async def test_every_wrong_parameter_is_named() -> None:
    async with serving() as served:
        reply = await served.post(
            "/graphql", {"query": 1, "operationName": 2, "variables": [3], "extensions": "x"}
        )
        named = [error["extensions"]["field"] for error in reply.json["errors"]]
        assert named == ["query", "operationName", "variables", "extensions"]


async def test_a_viewer_cannot_change_anything() -> None:
    async with serving(AUTHENTICATED) as served:
        reply = await served.post(
            "/graphql",
            {"query": SUBMIT, "variables": {"input": ALERT}},
            headers=bearer(Role.VIEWER),
        )
        assert (reply.status, codes(reply)) == (403, ["FORBIDDEN"])
        assert served.store.records == []


async def test_an_error_of_a_field_comes_with_the_data() -> None:
    async with serving() as served:
        bad = {**ALERT, "title": ""}
        reply = await served.post("/graphql", {"query": SUBMIT, "variables": {"input": bad}})
        assert reply.status == 200
        assert reply.json["data"] is None
        assert codes(reply) == ["BAD_USER_INPUT"]


async def test_health_is_answered_while_the_journal_recovers() -> None:
    reply = await recovering().post("/graphql", {"query": "{ health { status } }"})
    assert (reply.status, reply.json) == (200, {"data": {"health": {"status": "UNHEALTHY"}}})


async def test_the_schema_as_text() -> None:
    reply = await recovering().get("/graphql/schema")
    assert reply.media_type == "text/plain"
    assert reply.body.decode() == sdl()


async def test_a_wrong_method_gets_a_graphql_error() -> None:
    reply = await recovering().ask("PUT", "/graphql")
    assert (reply.status, codes(reply)) == (405, ["BAD_USER_INPUT"])
