import pytest

from incident_manager.http.replies import json_reply
from incident_manager.http.rest.conditional import conditional
from unit.http.served import recovering


@pytest.mark.parametrize("weak", ["", "W/"])
async def test_the_same_bytes_have_the_same_tag(weak: str) -> None:
    app = recovering().app
    async with app.test_request_context("/"):
        tag = (await conditional(json_reply({"a": 1}))).headers["ETag"]
        assert (await conditional(json_reply({"a": 2}))).headers["ETag"] != tag
    async with app.test_request_context("/", headers={"If-None-Match": f'"x", {weak}{tag}'}):
        held = await conditional(json_reply({"a": 1}))
        assert (held.status_code, await held.get_data()) == (304, b"")
        assert held.headers["ETag"] == tag
        assert (await conditional(json_reply({"a": 2}))).status_code == 200
