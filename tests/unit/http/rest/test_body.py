import pytest

from incident_manager.actors.errors import Refused
from incident_manager.http.rest.body import decode
from unit.http.served import ALERT, SMALL, serving

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "not valid JSON"),
        (b'{"a":1}x', "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":"\xff"}', "not valid JSON"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "one JSON object"),
        (b"null", "one JSON object"),
        (b'"x"', "one JSON object"),
    ],
)
def test_what_is_no_json_object_is_refused(raw: bytes, what: str) -> None:
    with pytest.raises(Refused) as raised:
        decode(raw)
    assert what in raised.value.message


def test_an_object_is_read() -> None:
    assert decode(b' {"a": [1, null, "\xc3\xa9"]} ') == {"a": [1, None, "é"]}


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type: application/json"),
        ({"Content-Type": "text/plain"}, "Content-Type: application/json"),
        ({}, "it has none"),
        ({"Content-Type": "application/json; charset=latin-1"}, "latin-1"),
        ({**JSON, "Content-Encoding": "gzip"}, "Content-Encoding"),
    ],
)
async def test_another_type_is_415_and_the_header_is_named(
    headers: dict[str, str], named: str
) -> None:
    async with serving() as served:
        reply = await served.ask("POST", "/v1/alerts", data=b"{}", headers=headers)
        assert (reply.status, reply.json["code"]) == (415, "BAD_USER_INPUT")
        assert named in reply.json["detail"]


async def test_the_parameters_of_the_type_may_say_utf_8() -> None:
    async with serving() as served:
        headers = {"Content-Type": "Application/JSON; charset=UTF-8"}
        reply = await served.ask("POST", "/v1/alerts", data=b"{}", headers=headers)
        assert reply.status == 400
        assert "source" in reply.fields


async def test_a_body_beyond_the_limit_is_413() -> None:
    async with serving(SMALL) as served:
        reply = await served.post("/v1/alerts", {**ALERT, "description": "x" * 1024})
        assert (reply.status, reply.json["code"]) == (413, "BAD_USER_INPUT")
        assert "server.max_body_bytes" in reply.json["detail"]
        assert served.store.records == []


async def test_so_is_one_that_does_not_say_how_long_it_is() -> None:
    async with serving(SMALL) as served:
        client = served.app.test_client()
        async with client.request("/v1/alerts", method="POST", headers=JSON) as connection:
            for _ in range(3):
                await connection.send(b" " * 500)
            await connection.send_complete()
        response = await connection.as_response()
        assert response.status_code == 413
