from types import MappingProxyType

from incident_manager.http.replies import bare, json_reply, text_reply


async def test_json_ends_with_a_line() -> None:
    reply = json_reply({"a": 1}, 202, {"X-Test": "yes"})
    assert await reply.get_data(as_text=False) == b'{"a":1}\n'
    assert (reply.status_code, reply.content_type) == (202, "application/json")
    assert reply.headers["X-Test"] == "yes"


async def test_what_json_cannot_say_is_written_anyhow() -> None:
    reply = json_reply({"map": MappingProxyType({"a": 1}), "other": 3 + 4j})
    assert await reply.get_data(as_text=False) == b'{"map":{"a":1},"other":"(3+4j)"}\n'


async def test_text_says_its_encoding() -> None:
    reply = text_reply("é")
    assert await reply.get_data(as_text=False) == "é".encode()
    assert reply.content_type == "text/plain; charset=utf-8"


async def test_a_bare_reply_has_no_type() -> None:
    reply = bare(304, {"ETag": '"1"'})
    assert reply.status_code == 304
    assert "Content-Type" not in reply.headers
    assert reply.headers["ETag"] == '"1"'
