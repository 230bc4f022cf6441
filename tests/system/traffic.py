"""Senders that know what was acknowledged, and followers that resume: across crashes and restarts.

They outlive the server: who loses it waits until :class:`Up` says that there is one again.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any

import httpx
import trio
from trio_websocket import HandshakeError

from system.client import PATIENCE, SUBMIT, Client, Closed, alert_input, opened

__all__ = ["LOST", "Follower", "RestSender", "SocketSender", "Up", "Work", "title_of"]

LOST = (Closed, HandshakeError, OSError, trio.BrokenResourceError)
"""How a client finds out that there is no server (any more)."""


def title_of(root: Mapping[str, Any]) -> str:
    """The title in what a root field of Subscription gave."""
    title: str = (root.get("incident") or root)["title"]
    return title


class Up:
    """Whether there is a server, as far as the test knows."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def now(self) -> None:
        self._event.set()

    def no_more(self) -> None:
        self._event = trio.Event()

    async def wait(self) -> None:
        with trio.fail_after(PATIENCE):
            await self._event.wait()


class Work:
    """The alerts to be sent, each by whichever sender comes first, and what became of them."""

    def __init__(self, total: int) -> None:
        self._numbers: Iterator[int] = iter(range(total))
        self._reached: list[tuple[int, trio.Event]] = []
        self.acknowledged: dict[int, str] = {}
        """The id of the alert, by its number."""
        self.unknown: set[int] = set()
        """Sent, and never answered; not sent again."""

    def __iter__(self) -> Iterator[int]:
        """The numbers that are left, for one of those who share them."""
        while numbers := self.take(1):
            yield from numbers

    async def reached(self, acknowledged: int) -> None:
        """Wait until so many have been acknowledged."""
        event = trio.Event()
        self._reached.append((acknowledged, event))
        with trio.fail_after(5 * PATIENCE):
            await event.wait()

    def take(self, most: int) -> list[int]:
        """The next numbers, none where there are no more."""
        return list(islice(self._numbers, most))

    def stop(self) -> None:
        """There are no more."""
        self._numbers = iter(())

    def done(self, number: int, alert_id: str) -> None:
        self.acknowledged[number] = alert_id
        for least, event in self._reached:
            if len(self.acknowledged) >= least:
                event.set()

    def alert(self, number: int) -> dict[str, object]:
        """Every second one joins the incident of the one before it."""
        return alert_input(
            f"incident {number // 2}",
            source=f"s{number // 2 % 3}",
            severity=f"P{number // 2 % 5}",
            labels={"number": str(number)},
        )


class Whole(httpx.AsyncByteStream):
    """A body that may be left half sent, when the server ends the connection meanwhile.

    Of httpx's own an async generator is left over, which warns when it is collected.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._parts: list[bytes] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._parts = [self._data]
        return self

    async def __anext__(self) -> bytes:
        if not self._parts:
            raise StopAsyncIteration
        return self._parts.pop()


class RestSender:
    """Sends by ``POST /v1/alerts`` with an idempotency key, again until it is acknowledged.

    With ``batch`` more than 1 a request brings so many alerts.
    """

    def __init__(self, work: Work, up: Up, http: str, *, batch: int = 1) -> None:
        self._work = work
        self._up = up
        self._http = http
        self._batch = batch
        self.retries = 0

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._http, timeout=PATIENCE) as http:
            while numbers := self._work.take(self._batch):
                while not await self._send(http, numbers):
                    self.retries += 1
                    await self._up.wait()

    async def _send(self, http: httpx.AsyncClient, numbers: Sequence[int]) -> bool:
        alerts = [self._work.alert(number) for number in numbers]
        try:
            request = http.build_request(
                "POST",
                "/v1/alerts",
                json=alerts[0] if self._batch == 1 else {"alerts": alerts},
                headers={"Idempotency-Key": f"alerts-from-{numbers[0]}"},
            )
            request.stream = Whole(request.content)
            answer = await http.send(request)
        except httpx.TransportError:
            return False
        if answer.status_code == 503:
            assert answer.json()["code"] == "SERVICE_UNAVAILABLE", answer.text
            return False
        assert answer.status_code == 202, answer.text
        acks = [answer.json()] if self._batch == 1 else answer.json()["acks"]
        for number, ack in zip(numbers, acks, strict=True):
            self._work.done(number, ack["alert_id"])
        return True


class SocketSender:
    """Sends by mutation over a WebSocket, each once: without an answer its outcome is unknown."""

    def __init__(self, work: Work, up: Up, ws: str) -> None:
        self._work = work
        self._up = up
        self._ws = ws
        self.losses = 0
        """How often the connection was lost."""

    async def run(self) -> None:
        numbers = iter(self._work)
        while True:
            await self._up.wait()
            try:
                async with opened(self._ws) as client:
                    for number in numbers:
                        await self._send(client, number)
            except* LOST:
                self.losses += 1
            else:
                return

    async def _send(self, client: Client, number: int) -> None:
        self._work.unknown.add(number)
        result = await client.execute(SUBMIT, {"input": self._work.alert(number)})
        if "errors" in result:
            assert result["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE", result
            return
        self._work.unknown.discard(number)
        self._work.done(number, result["data"]["submitAlert"]["alertId"])


class Follower:
    """Follows one subscription from a cursor to the event that ``ends`` it, across restarts."""

    def __init__(
        self,
        up: Up,
        ws: str,
        query: str,
        cursor: str,
        *,
        variables: Mapping[str, object] | None = None,
    ) -> None:
        self._up = up
        self._ws = ws
        self._query = query
        self._variables = variables
        self.cursor = cursor
        self.losses = 0
        """How often the connection was lost."""
        self.events: list[tuple[int, dict[str, Any]]] = []
        """Offset and root field of every event, in the order of arrival."""

    async def run(self, end: str) -> None:
        """Follow until an event's ``title`` is ``end``."""
        while True:
            await self._up.wait()
            try:
                async with opened(self._ws) as client:
                    await self._follow(client, end)
            except* LOST:
                self.losses += 1
            else:
                return

    async def _follow(self, client: Client, end: str) -> None:
        stream = await client.begin(self._query, self._variables, cursor=self.cursor)
        for number in count():
            payload = await client.next(stream)
            extensions = payload["extensions"]
            assert extensions.get("recovered", None) is (True if number == 0 else None), payload
            assert "errors" not in payload, payload
            self.cursor = extensions["cursor"]
            [root] = payload["data"].values()
            self.events.append((int(self.cursor.rpartition(":")[2]), root))
            if title_of(root) == end:
                return
