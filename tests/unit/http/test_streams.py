"""How a subscription begins: from where on, and what is shown of it."""

import pytest

from incident_manager.actors.cursor import Cursor
from incident_manager.http.principal import ANONYMOUS
from incident_manager.http.sse.sink import EventSink
from incident_manager.http.streams import begun, figures, read_cursor, wanted_of
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.operation import Preparer
from unit.http.served import serving

EPOCH = "0" * 32
STREAM = "subscription { incidentUpdates(heartbeatSeconds: 5) { updateType } }"


def test_where_it_resumes() -> None:
    assert read_cursor(None, "extensions.cursor") is None
    assert read_cursor(f"{EPOCH}:3", "extensions.cursor") == Cursor(EPOCH, 3)


@pytest.mark.parametrize("text", ["", "x", 7, {}, f"{EPOCH}:-1"])
def test_what_is_no_cursor_names_its_field(text: object) -> None:
    with pytest.raises(OperationRefused) as refused:
        read_cursor(text, "Last-Event-ID")
    [error] = refused.value.errors
    assert error["extensions"]["field"] == "Last-Event-ID"


async def test_what_the_tree_shows() -> None:
    async with serving() as served:
        await served.alert()
        operation = Preparer().prepare(STREAM, None, None, role=ANONYMOUS.role)
        wanted = wanted_of(operation, ANONYMOUS)
        assert wanted.heartbeat_seconds == 5
        system = served.gateway.running()
        sink = EventSink.__new__(EventSink)  # nothing is delivered
        stream = begun(system.streams, sink, wanted, None)
        shown = {"field": "incidentUpdates", "live": False, "position": 1, "lag_events": 0}
        assert figures(stream) == shown
        assert figures(stream, "x" * 100) == {"id": "x" * 64, **shown}
        assert str(stream.cursor) == f"{system.hub.epoch}:1"
        resumed = begun(system.streams, sink, wanted, Cursor(EPOCH, 0))
        assert resumed.cursor is None
