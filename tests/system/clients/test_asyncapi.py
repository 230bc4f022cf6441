"""The AsyncAPI description is sound by the official parser, and so are real messages by it."""

import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from system.client import Client, connected
from system.clients.follower import SECRET, Token
from system.clients.programs import CACHE, call, npm
from system.docs.write_generated import STREAMS
from system.harness import LocalServer, local

HERE = Path(__file__).parent
DOCUMENT = yaml.safe_load(STREAMS.read_text())


@pytest.mark.slow
@pytest.mark.component("node")
def test_the_official_parser_has_nothing_to_say() -> None:
    place = npm(HERE / "js", CACHE / "guide")
    shutil.copy(HERE / "js" / "asyncapi.mjs", place)
    told = json.loads(call("node", "asyncapi.mjs", str(STREAMS), cwd=place))
    assert told["found"] == []
    assert set(told["messages"]) == set(DOCUMENT["components"]["messages"])
    assert set(told["operations"]) == set(DOCUMENT["operations"])


def check(name: str, frame: object) -> None:
    """Hold a message against the description of that name."""
    schema = {**DOCUMENT, "$ref": f"#/components/messages/{name}/payload"}
    jsonschema.Draft202012Validator(schema).validate(frame)


async def test_what_the_server_sends_is_so(server: LocalServer) -> None:
    async with connected(server.ws) as client:
        check("connectionAck", await client.init())
        await talk(client)


async def talk(client: Client) -> None:
    stream = await client.subscribe("subscription { newIncidents { id title createdAt labels } }")
    await client.submit("one")
    event = await client.of(stream)
    check("next", event)
    data = {**DOCUMENT, "$ref": "#/components/schemas/newIncidentsEvent"}
    jsonschema.Draft202012Validator(data).validate(event["payload"]["data"])
    check("error", await client.of(await client.begin("subscription { nothing }")))
    late = await client.begin("subscription { alerts { id } }", cursor="another:7")
    told = await client.take(lambda message: message["type"] == "ping")
    check("serverPing", told)
    assert told["payload"]["subscription"] == late
    check("pong", await client.ping())


async def test_a_pong_to_a_token_is_so(tmp_path: Path) -> None:
    token = Token(tmp_path / "token").issue(3600)
    async with local(tmp_path, auth__jwt_secret=SECRET) as server, connected(server.ws) as client:
        hello = {"Authorization": f"Bearer {token}"}
        check("connectionInit", {"type": "connection_init", "payload": hello})
        await client.init(hello)
        check("pong", await client.ping({"authorization": f"Bearer {token}"}))


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("next", {"type": "next", "payload": {"data": {}}}),
        ("next", {"type": "next", "id": "1", "payload": {"data": 1}}),
        ("error", {"type": "error", "id": "1", "payload": []}),
        ("subscribe", {"type": "subscribe", "id": "1", "payload": {}}),
        ("subscribe", {"type": "next", "id": "1", "payload": {"query": "{ cursor }"}}),
    ],
)
def test_what_is_not_so_is_seen(name: str, frame: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(name, frame)
