"""The writer: events in order, together where several wait, and no more than a part at a time."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.sse.writer import EventWriter


class Body:
    """The body of an answer, whose client takes nothing while the ``gate`` is closed."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.parts: list[bytes] = []
        self.gate = trio.Event()
        self.sizes: list[int] = []
        self.writer = EventWriter(self.send, nursery.start_soon)
        self.writer.watch(lambda: self.sizes.append(self.writer.size))

    async def send(self, message: dict[str, object]) -> None:
        await self.gate.wait()
        assert (message["type"], message["more_body"]) == ("http.response.body", True)
        assert isinstance(message["body"], bytes)
        self.parts.append(message["body"])


async def test_what_waits_leaves_together(nursery: trio.Nursery) -> None:
    body = Body(nursery)
    body.writer.write([b"one"])
    await trio.testing.wait_all_tasks_blocked()
    body.writer.write([b"two", b"three"])
    assert body.writer.size == 11
    body.gate.set()
    await body.writer.settled()
    assert body.parts == [b"one", b"twothree"]
    assert body.sizes == [8, 0]
    body.writer.write([b"four"])
    await body.writer.settled()
    assert body.parts[2:] == [b"four"]


async def test_settled_at_rest_is_at_once(nursery: trio.Nursery) -> None:
    await Body(nursery).writer.settled()


@given(st.lists(st.integers(1, 50_000), max_size=30))
def test_a_part_is_whole_events_and_small(sizes: list[int]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            body = Body(nursery)
            body.gate.set()
            events = [bytes([number]) * size for number, size in enumerate(sizes)]
            body.writer.write(events)
            await body.writer.settled()
            assert b"".join(body.parts) == b"".join(events)
            assert all(len(part) <= 64 * 1024 for part in body.parts)
            ends = {0}
            for event in events:
                ends.add(max(ends) + len(event))
            sent = 0
            for part in body.parts:
                sent += len(part)
                assert sent in ends

    trio.run(main)
