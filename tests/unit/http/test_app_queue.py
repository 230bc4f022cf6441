"""The queue of an application that may end before those who fill it."""

from typing import Any

import trio
from hypercorn.trio.task_group import TaskGroup
from trio.testing import wait_all_tasks_blocked

from incident_manager.http.app_queue import AppQueue


async def test_who_says_that_the_client_has_gone_does_not_wait() -> None:
    async with TaskGroup() as group:
        send, receive = trio.open_memory_channel[dict[str, Any]](1)
        queue = AppQueue(send.send, group)
        await queue.put({"type": "websocket.receive"})
        await queue.put({"type": "websocket.disconnect"})  # there is no room for it
        assert (await receive.receive())["type"] == "websocket.receive"
        assert (await receive.receive())["type"] == "websocket.disconnect"


async def test_nobody_waits_for_an_application_that_has_ended(nursery: trio.Nursery) -> None:
    async with TaskGroup() as group:
        send, _ = trio.open_memory_channel[dict[str, Any]](1)
        queue = AppQueue(send.send, group)
        await queue.put({"type": "websocket.receive"})
        nursery.start_soon(queue.put, {"type": "websocket.receive"})
        await queue.put({"type": "websocket.disconnect"})
        await wait_all_tasks_blocked()
        assert send.statistics().tasks_waiting_send == 2
        queue.close()
        await wait_all_tasks_blocked()
        assert send.statistics().tasks_waiting_send == 0
        await queue.put({"type": "websocket.receive"})


async def test_another_way_in_is_left_as_it_is() -> None:
    got: list[dict[str, Any]] = []

    async def put(message: dict[str, Any]) -> None:
        got.append(message)

    async with TaskGroup() as group:
        queue = AppQueue(put, group)
        await queue.put({"type": "websocket.receive"})
        queue.close()
        await queue.put({"type": "websocket.receive"})
    assert len(got) == 2
