"""Every operation by every kind of caller at every door: the answer is what the table says.

The table (``http/access.py``) is what SECURITY.md shows; nothing here names an operation, a route
or what it needs a second time.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from attrs import frozen
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.roles import Role
from incident_manager.http.access import DOORS, Rule, rules
from incident_manager.http.api_keys import new_key
from incident_manager.schema.build import schema
from system.client import PATIENCE, Client, Closed, connected
from system.event_source import STREAM, source
from system.harness import LocalServer, local

SECRET = "a secret of tests, long enough for HS256"
ACME = {"tenant": "acme"}
NOBODY = "00000000-0000-4000-8000-000000000000"
LONG_AGO = "another:0"
"""A cursor of another journal: the stream goes on from the oldest event, and so begins at once."""
ROOTS = {"Query": "query", "Mutation": "mutation", "Subscription": "subscription"}
TABLE = tuple(rules())
OPERATIONS = tuple(each for each in TABLE if each.kind in ROOTS)
ROUTES = tuple(each for each in TABLE if each.kind not in (*ROOTS, "WS"))
ALLOWED = "allowed"


@frozen
class Who:
    """A caller: the headers that it sends, and what it is."""

    headers: Mapping[str, str]
    role: Role | None = None
    confined: bool = False
    expired: bool = False

    def verdict(self, access: Access) -> str:
        """What the table says of this caller: the code of a refusal, or that it is allowed."""
        if access.least is None:
            return ALLOWED
        if self.expired:
            return "UNAUTHORIZED"
        if self.role is None:
            return "UNAUTHENTICATED"
        if self.role < access.least or (self.confined and access.scope is Scope.NONE):
            return "FORBIDDEN"
        return ALLOWED


def _token(role: Role, seconds: float = 86_400, **claims: Any) -> dict[str, str]:
    given = {"sub": role.name, "roles": [role.name], "exp": time.time() + seconds, **claims}
    return {"authorization": f"Bearer {jwt.encode(given, SECRET, 'HS256')}"}


KEYS = {role: new_key(role.name.lower(), role) for role in Role}
CONFINED_KEY = new_key("confined", Role.ADMIN, selectors=ACME)
CALLERS: Mapping[str, Who] = {
    "no token": Who({}),
    "expired": Who(_token(Role.ADMIN, -600), Role.ADMIN, expired=True),
    **{role.name: Who(_token(role), role) for role in Role},
    **{
        f"confined {role.name}": Who(_token(role, selectors=ACME), role, confined=True)
        for role in Role
    },
    **{f"API key, {role.name}": Who({"x-api-key": text}, role) for role, (text, _) in KEYS.items()},
    "API key, confined": Who({"x-api-key": CONFINED_KEY[0]}, Role.ADMIN, confined=True),
}


def _literal(kind: Any) -> str:
    """Some value of an input type."""
    if is_non_null_type(kind):
        return _literal(kind.of_type)
    if is_list_type(kind):
        return f"[{_literal(kind.of_type)}]"
    if isinstance(kind, GraphQLInputObjectType):
        return f"{{{_arguments(kind.fields)}}}"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    return {"Int": "1", "Boolean": "true", "UUID": f'"{NOBODY}"'}.get(kind.name, '"x"')


def _arguments(given: Mapping[str, Any]) -> str:
    needed = {name: each.type for name, each in given.items() if is_non_null_type(each.type)}
    return ", ".join(f"{name}: {_literal(kind)}" for name, kind in needed.items())


def document(rule: Rule) -> str:
    """An operation of one root field, with as little as it needs."""
    root: Any = schema.get_type(rule.kind)
    field = root.fields[rule.name]
    arguments = _arguments(field.args)
    selection = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    given = f"({arguments})" if arguments else ""
    return f"{ROOTS[rule.kind]} {{ {rule.name}{given}{selection} }}"


def code_of(body: Any) -> str:
    """The code by which a caller is refused, or that it is allowed: whatever else went wrong."""
    errors = body.get("errors") or [{}] if isinstance(body, Mapping) else body
    found = errors[0].get("extensions", {}).get("code")
    codes = ("UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN")
    return found if found in codes else ALLOWED


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[LocalServer]:
    """A server with an incident of each tenant, which every stream has had an event of."""
    keys = ",".join(f"{key.name}={key.entry()}" for _, key in (*KEYS.values(), CONFINED_KEY))
    async with local(directory, auth__jwt_secret=SECRET, auth__api_keys=keys) as server:
        async with asked(server, CALLERS["ADMIN"]) as http:
            for tenant in ("acme", "corp"):
                alert = {
                    "source": "tests",
                    "title": f"of {tenant}",
                    "description": "d",
                    "severity": "P0",
                    "labels": {"tenant": tenant},
                }
                ack = (await http.post("/v1/alerts", json=alert)).json()
                done = await http.post(f"/v1/incidents/{ack['incident_id']}/acknowledge")
                assert done.status_code == 200
        yield server


@asynccontextmanager
async def asked(server: LocalServer, who: Who) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=server.http, headers=dict(who.headers), timeout=PATIENCE
    ) as http:
        yield http


def differing(found: Mapping[str, str], who: Who, wanted: Mapping[str, Access]) -> Iterator[str]:
    """What was answered otherwise than the table says."""
    for name, access in wanted.items():
        if found[name] != who.verdict(access):
            yield f"{name}: {found[name]}, not {who.verdict(access)}"


async def test_every_route(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for name, who in CALLERS.items():
            found: dict[str, str] = {}
            async with asked(server, who) as http:
                for rule in ROUTES:
                    path = re.sub(r"{\w+}", NOBODY, rule.name)
                    async with http.stream(rule.kind, path, json={}) as reply:
                        head = reply.status_code
                        body = await reply.aread() if head in (401, 403) else b""
                    text = json.loads(body or b"{}")
                    code = text.get("code") or code_of(text)
                    found[f"{rule.kind} {rule.name}"] = code if head in (401, 403) else ALLOWED
            wanted = {f"{each.kind} {each.name}": each.access for each in ROUTES}
            assert list(differing(found, who, wanted)) == [], name


def through(door: Rule | None, rule: Rule) -> Access:
    """What an operation needs at a door that needs something itself, too."""
    least = rule.access.least
    if door is not None and door.access.least is not None:
        least = door.access.least if least is None else max(least, door.access.least)
    return Access(least, rule.access.scope)


def door_of(method: str, path: str) -> Rule:
    [found] = [each for each in TABLE if (each.kind, each.name) == (method, path)]
    return found


async def test_every_operation_over_http(tmp_path: Path) -> None:
    operations = [each for each in OPERATIONS if each.kind != "Subscription"]
    async with served(tmp_path) as server:
        for name, who in CALLERS.items():
            found: dict[str, str] = {}
            async with asked(server, who) as http:
                for rule in operations:
                    reply = await http.post("/graphql", json={"query": document(rule)})
                    found[document(rule)] = code_of(reply.json())
            door = door_of("POST", "/graphql")
            wanted = {document(each): through(door, each) for each in operations}
            assert list(differing(found, who, wanted)) == [], name


async def _over_websocket(client: Client, rule: Rule) -> str:
    """The code with which an operation is refused, or that it has begun."""
    operation = await client.begin(document(rule), cursor=LONG_AGO)
    message = await client.of(operation)
    if message["type"] == "error":
        return code_of(message["payload"])
    await client.send("complete", id=operation)
    return code_of(message["payload"])


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("headers", [True, False], ids=["headers", "payload"])
async def test_every_operation_over_websocket(tmp_path: Path, path: str, headers: bool) -> None:
    async with served(tmp_path) as server:
        url = server.ws.replace("/graphql/ws", path)
        for name, who in CALLERS.items():
            shown = [(key.encode(), text.encode()) for key, text in who.headers.items()]
            async with connected(url, headers=shown if headers else ()) as client:
                payload = {} if headers else dict(who.headers)
                if who.role is None or who.expired:
                    with pytest.raises(Closed) as closed:
                        await client.init(payload)
                    assert closed.value.code == 4403, name
                    continue
                await client.init(payload)
                found = {document(each): await _over_websocket(client, each) for each in OPERATIONS}
            wanted = {document(each): through(door_of("WS", path), each) for each in OPERATIONS}
            assert list(differing(found, who, wanted)) == [], name


async def _over_sse(http: httpx.AsyncClient, who: Who, rule: Rule) -> str:
    if who.role is None or who.expired:
        reply = await http.post(STREAM, json={"query": document(rule)})
        return code_of(reply.json())
    async with source(http, document(rule), last=LONG_AGO) as stream:
        return code_of((await stream.event()).json)


async def test_every_operation_over_sse(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        for name, who in CALLERS.items():
            async with asked(server, who) as http:
                found = {document(each): await _over_sse(http, who, each) for each in OPERATIONS}
            door = door_of("POST", STREAM)
            wanted = {document(each): through(door, each) for each in OPERATIONS}
            assert list(differing(found, who, wanted)) == [], name


def test_nothing_is_left_out() -> None:
    """The table has every root field of the schema, and each kind of verdict at each door."""
    for kind in ROOTS:
        root: Any = schema.get_type(kind)
        assert {each.name for each in OPERATIONS if each.kind == kind} == set(root.fields)
    for group in (ROUTES, OPERATIONS):
        verdicts = {who.verdict(each.access) for each in group for who in CALLERS.values()}
        assert verdicts == {ALLOWED, "UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN"}
    assert any(each.access.scope is Scope.NONE for each in ROUTES)
