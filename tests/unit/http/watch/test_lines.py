import io
import json
from typing import Any

import pytest

from incident_manager.http.client import Connected, Disconnected, TokenRenewed
from incident_manager.http.watch.follow import Snapshot
from incident_manager.http.watch.lines import JsonFormat, LineScreen, TextFormat
from incident_manager.http.watch.model import Wanted
from unit.http.watch.boards import incident, moment, row


class Written:
    def __init__(self, form: TextFormat | JsonFormat) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.screen = LineScreen(Wanted(), form, self.out, self.err)

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def text() -> Written:
    return Written(TextFormat())


@pytest.fixture
def objects() -> Written:
    return Written(JsonFormat())


def raw(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "updateType": "UPDATED",
        "timestamp": moment(2000.0),
        "actor": None,
        "changedFields": ["state"],
        "incident": incident(number, **fields),
    }


SNAPSHOT = Snapshot([incident(2), incident(1), incident(3, state="CLOSED")], "e:7", more=False)
HEARTBEAT = {"updateType": "HEARTBEAT", "incident": None}


async def test_text(text: Written) -> None:
    await text.screen.snapshot(SNAPSHOT)
    await text.screen.update(raw(version=2, title="a\x1bb"), "e:8")
    await text.screen.update(raw(version=1), "e:9")  # nothing new in it
    await text.screen.update(HEARTBEAT, "e:9")
    await text.screen.gap("e:9", "f:1")
    identity = row(1).id
    assert text.lines() == [
        f"00:16:41Z PRESENT       P2 NEW           incident 1 [tests] {identity}",
        f"00:16:42Z PRESENT       P2 NEW           incident 2 [tests] {row(2).id}",
        f"00:33:20Z UPDATED       P2 NEW           a�b [tests] {identity}",
        "--- the updates from e:9 to f:1 are lost ---",
    ]


async def test_objects(objects: Written) -> None:
    await objects.screen.snapshot(SNAPSHOT)
    await objects.screen.update(raw(version=2, title="a\x1bb\x9b"), "e:8")
    await objects.screen.gap("e:8", "f:1")
    assert objects.objects() == [
        {"kind": "incident", "cursor": "e:7", "incident": incident(1)},
        {"kind": "incident", "cursor": "e:7", "incident": incident(2)},
        {"kind": "update", "cursor": "e:8", **raw(version=2, title="a\x1bb\x9b")},
        {"kind": "gap", "from": "e:8", "to": "f:1"},
    ]
    written = objects.out.getvalue()
    assert written.isascii()
    assert "\x1b" not in written


async def test_the_connection_is_told_on_the_other_stream(text: Written) -> None:
    text.screen.connection(Connected(1, 0))
    text.screen.connection(Disconnected(1001, "Going away", 0.0, 1))
    text.screen.connection(TokenRenewed(accepted=True, expires_at=None))
    text.screen.connection(Connected(2, 1))
    assert text.err.getvalue().splitlines() == [
        "incident-manager: connected",
        "incident-manager: no connection: Going away; try 2 in 0.0 s",
        "incident-manager: connected again, nothing was missed",
    ]
    assert text.lines() == []


async def test_a_reader_that_is_gone_is_said(text: Written) -> None:
    text.out.close()
    with pytest.raises(ValueError, match="closed file"):
        await text.screen.gap("a", "b")
