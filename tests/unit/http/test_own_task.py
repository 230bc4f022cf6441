"""An application in the task that reads its connection."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup

from incident_manager.http.own_task import NURSERY, OwnTask, nursery_of

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Source:
    """Makes a message of every byte, one at a time."""

    def __init__(self) -> None:
        self.unread = False
        self.bytes = b""
        self.reads = 0
        self.sent: list[Any] = []
        self.input = [b"ab", b"", b"c", None]
        self.own = OwnTask(TaskGroup(), self, self.read)

    async def read(self) -> bytes | None:
        self.reads += 1
        await trio.lowlevel.checkpoint()
        return self.input.pop(0)

    async def take(self, data: bytes | None) -> None:
        if data is None:
            await self.own.put({"type": "websocket.disconnect"})
            return
        self.bytes += data
        self.unread = True

    async def go_on(self) -> None:
        self.unread = len(self.bytes) > 1
        if self.bytes:
            await self.own.put({"type": "websocket.receive", "text": self.bytes[:1]})
            self.bytes = self.bytes[1:]

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def start(self, application: Callable[[Any, Receive, Send], Awaitable[None]]) -> Any:
        app: Any = ASGIWrapper(application)  # type: ignore[arg-type]
        put = await self.own.spawn_app(app, Config(), {"type": "websocket"}, self.send)
        await put({"type": "websocket.connect"})
        return put


async def test_it_reads_what_the_application_asks_for_and_no_more() -> None:
    source = Source()
    got: list[Any] = []

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        assert source.reads == 0
        for read in (1, 1, 3, 4):
            got.append(await receive())
            assert source.reads == read
        await send({"said": 1})

    put = await source.start(application)
    assert source.reads == 0
    await source.own.run()
    assert got == [
        {"type": "websocket.receive", "text": b"a"},
        {"type": "websocket.receive", "text": b"b"},
        {"type": "websocket.receive", "text": b"c"},
        {"type": "websocket.disconnect"},
    ]
    assert source.sent == [{"said": 1}, None]
    await put({"text": b"late"})
    assert not source.own.waiting
    await source.own.run()  # there is none any more
    assert source.sent[-1] is None
    assert len(source.sent) == 2


async def test_others_have_a_turn_between_two_messages_that_came_together() -> None:
    source = Source()
    source.input = [b"abc", None]
    got: list[Any] = []

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        with trio.testing.assert_no_checkpoints():  # its task has only just begun
            got.append(await receive())
        while len(got) < 5:
            with trio.testing.assert_checkpoints():
                got.append(await receive())

    await source.start(application)
    await source.own.run()
    assert [each["type"] for each in got] == [
        "websocket.connect",
        *["websocket.receive"] * 3,
        "websocket.disconnect",
    ]


async def test_other_applications_get_what_hypercorn_gives_them() -> None:
    source = Source()
    given: list[Any] = []

    async def application(
        scope: Any, receive: Receive, send: Send, sync_spawn: Any, call_soon: Any
    ) -> None:
        given.extend((scope["type"], sync_spawn, call_soon))

    app: Any = application
    await source.own.spawn_app(app, Config(), {"type": "websocket"}, source.send)
    await source.own.run()
    assert given == ["websocket", trio.to_thread.run_sync, trio.from_thread.run]


@pytest.mark.parametrize("grouped", [False, True])
async def test_a_failure_is_logged_and_ends_it(
    caplog: pytest.LogCaptureFixture, grouped: bool
) -> None:
    source = Source()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        raise ExceptionGroup("two", [ValueError("bad")]) if grouped else ValueError("bad")

    await source.start(application)
    logging.getLogger("hypercorn.error").addHandler(caplog.handler)
    await source.own.run()
    assert source.sent == [None]
    assert "Error in ASGI Framework" in caplog.text


async def test_a_cancellation_travels_on_beside_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    source = Source()

    async def application(scope: Any, receive: Receive, send: Send) -> None:
        try:
            await trio.sleep_forever()
        except trio.Cancelled as cancelled:
            raise BaseExceptionGroup("two", [cancelled, ValueError("bad")]) from None

    await source.start(application)
    logging.getLogger("hypercorn.error").addHandler(caplog.handler)
    with trio.CancelScope() as scope:
        scope.cancel()
        await source.own.run()
    assert scope.cancelled_caught
    assert source.sent == [None]
    assert "Error in ASGI Framework" in caplog.text


async def test_it_spawns_in_the_tasks_of_the_connection() -> None:
    ran: list[int] = []

    async def task(number: int) -> None:
        ran.append(number)

    async with TaskGroup() as group:
        source = Source()
        OwnTask(group, source, source.read).spawn(task, 7)
    assert ran == [7]


async def test_a_nursery_is_found_where_one_is_lent(nursery: trio.Nursery) -> None:
    assert nursery_of({"state": {NURSERY: nursery}}) is nursery
    assert nursery_of({"state": {}}) is None
    assert nursery_of({}) is None
