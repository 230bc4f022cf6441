"""A server under fire: many workers mean ill, and a good client must not notice."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import field, frozen

from system.bad_messages import seed
from system.certificates import make
from system.client import PATIENCE, Client, opened
from system.harness import ServerProcess, run
from system.wires import Carrier

__all__ = ["Target", "each", "under_fire"]

WORKERS = 12
ROUND = 100  # things after which the good client is heard
STREAM = "subscription{newIncidents(severities:[P0]){title}}"
CARRIERS = {
    "cleartext": (Carrier.HTTP_1,) * 6 + (Carrier.HTTP_2,),
    "TLS": (Carrier.HTTP_1, Carrier.HTTP_1, Carrier.HTTP_2),
}
MIB = 2**20


@frozen
class Target:
    """A server under fire, and what has happened."""

    server: ServerProcess
    carriers: Iterator[Carrier]
    told: Counter[str] = field(factory=Counter)


def ids(node: dict[str, Any]) -> Iterator[str]:
    yield node["id"]
    for child in node["children"]:
        yield from ids(child)


async def remains(server: ServerProcess) -> tuple[list[str], int]:
    """The actors, and how many files are open: a request of its own counts each time."""
    place = server.place
    verify = False if place.tls is None else place.tls.trust()
    async with httpx.AsyncClient(base_url=place.http, verify=verify, timeout=PATIENCE) as http:
        tree = (await http.get("/debug/actors", params={"limit": 1000})).json()
        assert tree["root"]["state"] == "running"
        files = len(os.listdir(f"/proc/{server.running.pid}/fd"))
        return sorted(ids(tree["root"])), files


def resident(server: ServerProcess) -> int:
    """Bytes of memory that the process has."""
    pages = Path(f"/proc/{server.running.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


async def behave(client: Client, heard: trio.MemoryReceiveChannel[None]) -> None:
    """A good client: it must see its own alert each time."""
    stream = await client.subscribe(STREAM)
    async for _ in heard:
        title = f"good {client._serial}"
        await client.submit(title, severity="P0")
        payload = await client.next(stream)
        assert payload["data"]["newIncidents"]["title"] == title


@asynccontextmanager
async def under_fire(
    directory: Path, name: str
) -> AsyncIterator[tuple[Target, Callable[[], None]]]:
    """A server with a good client on it, who is heard whenever the function given is called."""
    tls = make(directory / "tls") if name == "TLS" else None
    options = {"limits__messages_per_second": 0}
    async with run(directory, tls=tls, **options) as server:
        trust = None if tls is None else tls.trust()
        async with opened(server.place.ws, tls=trust):  # whatever is made once is there
            pass
        before = await remains(server)
        memory = resident(server)
        call, heard = trio.open_memory_channel[None](10_000)
        target = Target(server, cycle(CARRIERS[name]))
        async with opened(server.place.ws, tls=trust) as good, trio.open_nursery() as nursery:
            nursery.start_soon(behave, good, heard)

            async with call:
                yield target, lambda: call.send_nowait(None)
        print(dict(target.told))
        after = await remains(server)
        with trio.move_on_after(PATIENCE):
            while after != before:
                after = await remains(server)
        assert after == before
        # One that has just started grows at first, then stays; ``make soak`` looks for leaks.
        grown = resident(server) - memory
        print(f"memory grew by {grown / MIB:.1f} MiB")
        assert grown < 64 * MIB
        assert await server.stop() == 0
        complaints = server.complaints()
        for entry in complaints:
            print(entry["event"], entry.get("exception"))
        assert complaints == []


async def each(
    count: int, hear: Callable[[], None], job: Callable[[Iterator[int]], Awaitable[None]]
) -> None:
    """Have the workers go through the numbers; each calls the job until none is left."""
    left = iter(range(count))

    def numbers() -> Iterator[int]:
        for number in left:
            if number % ROUND == 0:
                hear()
            yield number

    async def work() -> None:
        while True:
            given = []

            def noted(given: list[int] = given) -> Iterator[int]:
                for number in numbers():
                    given.append(number)
                    yield number

            try:
                await job(noted())
            except Exception as error:
                error.add_note(f"number {given[-1:]} of seed {seed}")
                raise
            if not given:
                return

    async with trio.open_nursery() as nursery:
        for _ in range(WORKERS):
            nursery.start_soon(work)
