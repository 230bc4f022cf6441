"""The applications of one connection are counted to their ends, and nobody waits for them."""

from typing import Any

import pytest
import trio
import trio.testing
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.task_group import TaskGroup

from incident_manager.http.h2_applications import Applications, Put

BODY: Any = {"type": "http.request", "body": b"x", "more_body": True}
GONE: Any = {"type": "http.disconnect"}


class Asgi:
    """Waits until it may read, and reads until the end."""

    def __init__(self) -> None:
        self.go = trio.Event()
        self.heard: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start"})
        await self.go.wait()
        while not self.heard or not self.heard[-1].endswith("disconnect"):
            self.heard.append((await receive())["type"])


async def begin(applications: Applications, app: Any, said: list[Any], kind: str = "http") -> Put:
    async def send(message: Any) -> None:
        said.append(message)

    wrapped = ASGIWrapper(app)
    scope: Any = {"type": kind}
    return await applications.spawn_app(wrapped, Config(), scope, send)


async def test_they_are_counted_until_they_have_ended() -> None:
    app = Asgi()
    said: list[Any] = []
    async with TaskGroup() as group:
        applications = Applications(group)
        puts = [await begin(applications, app, said) for _ in range(3)]
        await trio.testing.wait_all_tasks_blocked()
        assert applications.running == 3
        app.go.set()
        for put in puts:
            await put(GONE)
        await trio.testing.wait_all_tasks_blocked()
        assert applications.running == 0
    assert said.count(None) == 3


async def test_one_that_fails_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise ExceptionGroup("two at once", [ValueError("of the application")])

    said: list[Any] = []
    async with TaskGroup() as group:
        applications = Applications(group)
        put = await begin(applications, broken, said)
        await trio.testing.wait_all_tasks_blocked()
        assert applications.running == 0
        await put(BODY)  # nobody is there, and nobody waits
        await put(GONE)
    assert None in said
    assert "of the application" in capsys.readouterr().err


async def test_it_is_told_of_the_end_though_it_takes_nothing(nursery: trio.Nursery) -> None:
    app = Asgi()
    done: list[str] = []
    async with TaskGroup() as group:
        put = await begin(Applications(group), app, [])

        async def fill() -> None:
            for _ in range(Config().max_app_queue_size + 1):
                await put(BODY)
            done.append("all of the body")

        nursery.start_soon(fill)
        await trio.testing.wait_all_tasks_blocked()
        assert done == []
        await put(GONE)  # does not wait for room
        app.go.set()
    assert done == ["all of the body"]
    assert app.heard == ["http.request"] * (Config().max_app_queue_size + 1) + ["http.disconnect"]


async def test_a_websocket_has_its_queue_as_it_is() -> None:
    app = Asgi()
    app.go.set()
    async with TaskGroup() as group:
        applications = Applications(group)
        put = await begin(applications, app, [], "websocket")
        assert isinstance(getattr(put, "__self__", None), trio.MemorySendChannel)
        disconnect: Any = {"type": "websocket.disconnect"}
        await put(disconnect)
    assert applications.running == 0


async def test_other_tasks_of_the_connection_are_not_counted() -> None:
    done = trio.Event()

    async def task(event: trio.Event) -> None:
        event.set()

    async with TaskGroup() as group:
        applications = Applications(group)
        applications.spawn(task, done)
        assert applications.running == 0
    assert done.is_set()
