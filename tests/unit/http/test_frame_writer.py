"""Where nothing better is offered, messages leave by ASGI, one after the other."""

from typing import Any

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.frame_writer import AsgiWriter


class Server:
    """Takes a message for each that it is let."""

    def __init__(self, room: int = 0) -> None:
        self.got: list[Any] = []
        self._room = trio.Semaphore(room)

    async def send(self, message: dict[str, object]) -> None:
        await self._room.acquire()
        self.got.append(message["text"])

    def take(self, number: int) -> None:
        for _ in range(number):
            self._room.release()


async def test_they_leave_in_order_and_what_waits_is_counted(nursery: trio.Nursery) -> None:
    server = Server()
    writer = AsgiWriter(server.send, nursery.start_soon)
    progress: list[int] = []
    writer.watch(lambda: progress.append(writer.size))
    writer.write([b"one", b"two"])
    writer.write(["drei ä".encode()])
    assert writer.size == 13
    await trio.testing.wait_all_tasks_blocked()
    assert (server.got, progress) == ([], [])
    server.take(2)
    await trio.testing.wait_all_tasks_blocked()
    assert (server.got, progress, writer.size) == (["one", "two"], [10, 7], 7)
    server.take(1)
    await trio.testing.wait_all_tasks_blocked()
    assert (server.got[2], progress, writer.size) == ("drei ä", [10, 7, 0], 0)


async def test_settled_is_when_all_of_it_is_sent(nursery: trio.Nursery) -> None:
    server, done = Server(), []
    writer = AsgiWriter(server.send, nursery.start_soon)
    await writer.settled()  # nothing waits
    writer.write([b"one", b"two"])

    async def settle() -> None:
        await writer.settled()
        done.append(list(server.got))

    for _ in range(2):
        nursery.start_soon(settle)
    server.take(1)
    await trio.testing.wait_all_tasks_blocked()
    assert done == []
    server.take(1)
    await trio.testing.wait_all_tasks_blocked()
    assert done == [["one", "two"]] * 2


async def test_cancelled_it_lets_nobody_wait() -> None:
    """The connection ends: what was not sent is not."""
    server = Server()
    async with trio.open_nursery() as nursery:
        writer = AsgiWriter(server.send, nursery.start_soon)
        writer.write([b"one"])
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await writer.settled()
    assert server.got == []


async def test_a_send_that_returns_at_once_does_not_keep_others_waiting(
    nursery: trio.Nursery,
) -> None:
    """As after a disconnect."""
    turns: list[str] = []

    async def send(message: dict[str, object]) -> None:
        turns.append("send")

    async def other() -> None:
        for _ in range(3):
            turns.append("other")
            await trio.lowlevel.checkpoint()

    AsgiWriter(send, nursery.start_soon).write([b"x"] * 10)
    nursery.start_soon(other)
    await trio.testing.wait_all_tasks_blocked()
    assert turns.index("other") < 3
    assert turns.count("send") == 10


@given(st.lists(st.lists(st.text(max_size=5), max_size=4), max_size=6), st.integers(0, 10))
def test_nothing_is_lost_or_said_twice(writes: list[list[str]], first: int) -> None:
    async def main() -> None:
        server = Server(room=first)
        async with trio.open_nursery() as nursery:
            writer = AsgiWriter(server.send, nursery.start_soon)
            for messages in writes:
                writer.write([message.encode() for message in messages])
                await trio.testing.wait_all_tasks_blocked()
            server.take(30)
            await writer.settled()
        assert server.got == [message for messages in writes for message in messages]
        assert writer.size == 0

    trio.run(main)
