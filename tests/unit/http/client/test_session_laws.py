"""Whatever a connection does, each event is delivered once and in order."""

import json
from collections import deque
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client import wire
from incident_manager.http.client.message import Message
from incident_manager.http.client.outputs import Deliver, Output, Say
from incident_manager.http.client.session import Session

PIN = "{ cursor }"


class Journal:
    """A server with one journal; what it sends waits in ``flight`` until it arrives or is lost.

    ``repeats`` is how many events before the cursor it sends once more after a resume, which a
    server must not; the client stands it.
    """

    def __init__(self) -> None:
        self.head = 0
        self.positions: dict[str, int] = {}
        self.flight: deque[wire.Frame] = deque()
        self.pinned: int | None = None
        self.repeats = 0

    def hear(self, text: str) -> None:
        frame = json.loads(text)
        if frame["type"] == "complete":
            del self.positions[frame["id"]]
        elif frame["type"] == "subscribe":
            payload = frame["payload"]
            if payload["query"] == PIN:
                data = {"cursor": f"e:{self.head}"}
                self.flight.append(wire.Next(frame["id"], Message(data)))
                self.flight.append(wire.Complete(frame["id"]))
            else:
                offset = int(payload["extensions"]["cursor"][2:])
                if self.pinned is None:
                    self.pinned = offset
                self.positions[frame["id"]] = max(0, offset - self.repeats)
                self.publish()

    def publish(self) -> None:
        """Send on, to each, what it has not been sent."""
        for name, position in self.positions.items():
            for offset in range(position + 1, self.head + 1):
                data = {"newIncidents": {"title": "t"}}
                self.flight.append(wire.Next(name, Message(data, cursor=f"e:{offset}")))
            self.positions[name] = self.head

    def beat(self) -> None:
        for name, position in self.positions.items():
            data = {"incidentUpdates": {"updateType": "HEARTBEAT"}}
            self.flight.append(wire.Next(name, Message(data, cursor=f"e:{position}")))


class World:
    """A session, the server, and the net between them."""

    def __init__(self) -> None:
        self.session = Session()
        self.journal = Journal()
        self.seen: list[int] = []
        self.key, outputs = self.session.subscribe("s", None, None, None)
        self.parked = False
        self.act(outputs)

    def act(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Say):
                self.journal.hear(output.frame)

    def arrive(self, *, full: bool = False) -> None:
        """One frame arrives; with ``full`` there is no room for a message."""
        if not self.journal.flight or not self.session.ready:
            return
        for output in self.session.receive(self.journal.flight.popleft()):
            if not isinstance(output, Deliver):
                self.act((output,))
            elif full:
                self.parked = True
                self.act(self.session.park(self.key))
            else:
                message = output.message
                assert message.data is not None
                assert message.cursor is not None
                if "newIncidents" in message.data:
                    self.seen.append(int(message.cursor[2:]))
                self.session.took(self.key, message)

    def connect(self) -> None:
        if not self.session.ready:
            self.act(self.session.connected())

    def lose(self) -> None:
        self.journal.flight.clear()
        self.journal.positions.clear()
        self.session.disconnected()

    def unpark(self) -> None:
        if self.parked:
            self.parked = False
            self.act(self.session.unpark(self.key))

    def step(self, move: str) -> None:
        match move:
            case "event":
                self.journal.head += 1
                self.journal.publish()
            case "arrive":
                self.arrive()
            case "full":
                self.arrive(full=True)
            case "connect":
                self.connect()
            case "lose":
                self.lose()
            case "unpark":
                self.unpark()
            case "heartbeat":
                self.journal.beat()
            case "repeat more":
                self.journal.repeats = 3


MOVES = ["event", "event", "arrive", "arrive", "arrive", "full", "connect", "connect", "lose",
         "unpark", "heartbeat", "repeat more"]  # fmt: skip


@given(st.lists(st.sampled_from(MOVES), max_size=120))
def test_each_event_once_and_in_order(moves: list[str]) -> None:
    world = World()
    for move in moves:
        world.step(move)
        first = 1 if world.journal.pinned is None else world.journal.pinned + 1
        assert world.seen == list(range(first, first + len(world.seen)))
    # In the end the net is kind.
    world.connect()
    world.unpark()
    while world.journal.flight:
        world.arrive()
    pinned = world.journal.pinned
    assert pinned is not None
    assert world.seen == list(range(pinned + 1, world.journal.head + 1))
