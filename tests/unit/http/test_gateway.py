"""The gateway: what the settings make of GraphQL, and what a caller is told of themselves."""

from typing import Any

import pytest

from incident_manager.http.auth import Principal, Role
from incident_manager.http.sections import GraphqlSettings, LimitSettings
from incident_manager.http.settings import Settings
from unit.http.served import AUTHENTICATED, Served, bearer, recovering, serving

ME = "{ me { name roles selectors expiresAt } }"


async def asked(served: Served, query: str, **given: Any) -> dict[str, Any]:
    reply = await served.post("/graphql", {"query": query}, **given)
    answer: dict[str, Any] = reply.json
    return answer


async def test_everybody_is_an_admin_of_an_open_server() -> None:
    async with serving() as served:
        assert (await asked(served, ME))["data"]["me"] == {
            "name": "anonymous",
            "roles": ["VIEWER", "RESPONDER", "ADMIN"],
            "selectors": {},
            "expiresAt": None,
        }


async def test_a_caller_learns_who_they_are() -> None:
    async with serving(AUTHENTICATED) as served:
        answer = await asked(served, ME, headers=bearer(Role.RESPONDER, "kim"))
    found = answer["data"]["me"]
    assert found.pop("expiresAt").endswith("Z")
    assert found == {"name": "kim", "roles": ["VIEWER", "RESPONDER"], "selectors": {}}


async def test_what_a_caller_is_confined_to() -> None:
    session = recovering().gateway.session(
        Principal(name="rae", role=Role.VIEWER, expires_at=1.5, selectors={"tenant": "acme"})
    )
    me = session.me()
    assert (me.name, me.roles, me.selectors) == ("rae", (Role.VIEWER,), {"tenant": "acme"})
    assert me.expires_at == 1_500_000


@pytest.mark.parametrize(
    ("limits", "query"),
    [
        ({"query_depth": 2}, "{ incidents { incidents { id } } }"),
        ({"query_complexity": 2}, "{ incidents { incidents { id } } }"),
        ({"subscription_depth": 1}, "subscription { alerts { id } }"),
        ({"subscription_complexity": 2}, "subscription { alerts { id title } }"),
    ],
)
async def test_limits_come_from_the_settings(limits: dict[str, int], query: str) -> None:
    async with serving(Settings(limits=LimitSettings(**limits))) as served:
        [error] = (await asked(served, query))["errors"]
        assert error["extensions"]["code"] == "COMPLEXITY_LIMITED"
        assert "errors" not in await asked(served, "{ cursor }")


async def test_introspection_can_be_turned_off() -> None:
    async with serving(Settings(graphql=GraphqlSettings(introspection=False))) as served:
        [error, *_] = (await asked(served, "{ __schema { queryType { name } } }"))["errors"]
        assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert "introspection has been disabled" in error["message"]
    async with serving() as served:
        answer = await asked(served, "{ __schema { queryType { name } } }")
        assert answer["data"] == {"__schema": {"queryType": {"name": "Query"}}}
