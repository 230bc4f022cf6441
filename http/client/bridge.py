"""The client for programs without Trio: asyncio, threads, notebooks.

A thread of its own runs Trio and the client in it. Whatever waits is a
:class:`concurrent.futures.Future`, which every kind of program can wait for. In asyncio::

    with open_bridge("ws://localhost:8080/graphql/ws", token=token) as bridge:
        with bridge.subscribe("subscription { newIncidents { id title } }") as stream:
            while (message := await asyncio.wrap_future(stream.next())) is not None:
                print(message.data, message.cursor)

and in a thread ``for message in stream: ...``, or ``stream.next().result()``. Nothing is taken from
the stream before it is asked for, so its buffers stay bounded.

A future whose ``cancel()`` returns True has taken no message: the next one gets it. To wait with a
timeout in asyncio keep the future and use ``asyncio.wait({future}, timeout=...)``: the other way,
``asyncio.wait_for``, may cancel it in the very moment in which the message is handed over.
"""

import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import trio

from incident_manager.http.client.client import Client
from incident_manager.http.client.errors import ClientClosed
from incident_manager.http.client.message import Message
from incident_manager.http.client.opening import open_client
from incident_manager.http.client.subscription import Subscription
from incident_manager.http.client.token import TokenSource

__all__ = ["Bridge", "BridgedSubscription", "open_bridge"]

T = TypeVar("T")


class Bridge:
    """A client in another thread; made by :func:`open_bridge`. Every method may be called from any
    thread.
    """

    def __init__(self, client: Client, nursery: trio.Nursery) -> None:
        self._client = client
        self._nursery = nursery
        self._over = trio.Event()
        self._token = trio.lowlevel.current_trio_token()

    def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        cursor: str | None = None,
    ) -> "BridgedSubscription":
        """Subscribe as :meth:`Client.subscribe` does."""
        begin = partial(self._client.subscribe, query, variables, operation_name, cursor)
        try:
            stream = trio.from_thread.run_sync(begin, trio_token=self._token)
        except trio.RunFinishedError:
            raise _closed() from None
        return BridgedSubscription(self, stream)

    def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        repeatable: bool | None = None,
    ) -> "Future[dict[str, Any]]":
        """Run a query or mutation as :meth:`Client.execute` does; a future of its data."""
        run = self._client.execute
        return self.start(partial(run, query, variables, operation_name, repeatable=repeatable))

    def start(
        self, run: Callable[[], Awaitable[T]], keep: Callable[[T], None] = lambda _: None
    ) -> "Future[T]":
        """Run an async function over there; ``keep`` gets a result that nobody wants any more."""
        future: Future[T] = Future()

        def begin() -> None:
            if self._over.is_set():
                future.set_exception(_closed())
            else:
                self._nursery.start_soon(_fulfil, future, run, keep)

        try:
            self._token.run_sync_soon(begin)
        except trio.RunFinishedError:
            future.set_exception(_closed())
        return future

    def soon(self, do: Callable[[], object]) -> None:
        """Have something done over there, if it is not over."""
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(do)

    def close(self) -> None:
        """Let it end, soon; what is waited for is cancelled."""
        self.soon(self._over.set)

    async def wait_closed(self) -> None:
        """Wait for :meth:`close`; for the thread that runs Trio."""
        try:
            await self._over.wait()
        finally:
            self._over.set()


class BridgedSubscription:
    """A subscription whose messages are fetched from another thread, one after the other."""

    def __init__(self, bridge: Bridge, stream: Subscription) -> None:
        self._bridge = bridge
        self._stream = stream
        self._kept: deque[Message | None] = deque()
        self._turn = trio.Lock()

    def next(self) -> "Future[Message | None]":
        """A future of the next message, None at the end; its errors are those of iteration."""
        return self._bridge.start(self._next, self._kept.appendleft)

    async def _next(self) -> Message | None:
        async with self._turn:
            if self._kept:
                return self._kept.popleft()
            return await anext(self._stream, None)

    def __iter__(self) -> Iterator[Message]:
        while (message := self.next().result()) is not None:
            yield message

    def unsubscribe(self) -> None:
        """Want no more of it; what is buffered still comes."""
        self._bridge.soon(self._stream.unsubscribe)

    def __enter__(self) -> "BridgedSubscription":
        return self

    def __exit__(self, *_: object) -> None:
        self.unsubscribe()


async def _fulfil(
    future: "Future[T]", run: Callable[[], Awaitable[T]], keep: Callable[[T], None]
) -> None:
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        future.add_done_callback(lambda _: _cancel(token, scope))
        try:
            result = await run()
        except Exception as error:  # noqa: BLE001 -- it comes out of the future
            if future.set_running_or_notify_cancel():
                future.set_exception(error)
        else:
            if future.set_running_or_notify_cancel():
                future.set_result(result)
            else:
                keep(result)
        finally:
            future.cancel()  # does nothing to one that is done


def _cancel(token: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    with suppress(trio.RunFinishedError):  # then it has ended already
        token.run_sync_soon(scope.cancel)


def _closed() -> ClientClosed:
    return ClientClosed("the bridge is closed")


@contextmanager
def open_bridge(url: str, token: TokenSource | None = None, **options: Any) -> Generator[Bridge]:
    """Open a client in a thread of its own; arguments and errors are those of ``open_client``.

    ``token`` and ``on_event`` are called in that thread; a ``token`` that is async runs under Trio.
    The block is left when the thread has ended: within about a second. What is still waited for
    then is cancelled.
    """
    opened: Future[Bridge] = Future()
    thread = threading.Thread(
        target=trio.run,
        args=(_live, opened, partial(open_client, url, token, **options)),
        name="incident-manager-client",
    )
    thread.start()
    try:
        bridge = opened.result()
    except BaseException:
        thread.join()
        raise
    try:
        yield bridge
    finally:
        bridge.close()
        thread.join()


async def _live(opened: "Future[Bridge]", opener: Callable[[], Any]) -> None:
    try:
        async with opener() as client, trio.open_nursery() as nursery:
            bridge = Bridge(client, nursery)
            opened.set_result(bridge)
            await bridge.wait_closed()
            nursery.cancel_scope.cancel()
    except Exception as error:
        if opened.done():
            raise
        opened.set_exception(error)
