"""``make soak``: half an hour of comings, goings, kills and bad bytes, and what is left of it.

A server runs with four subscribers that must see every event once and in order, while clients of
every bad kind come and go, connections are cut in the middle of anything, and actors are
restarted. Before and after, with everybody gone, what the process holds is counted.
"""

import json
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import httpx
import trio
from attrs import asdict, frozen
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load.marked import place_between
from system.bad_frames import bad_frame
from system.bad_handshakes import half_handshake
from system.bad_messages import bad_message
from system.client import PATIENCE, opened
from system.evidence import check_offsets, events
from system.fire import ids
from system.harness import ServerProcess, run
from system.nuisances import ALL
from system.readers import SocketStream, dialled, shake, subscription
from system.rude import masked
from system.traffic import Follower, Up
from system.wires import Carrier, frame, opened_wire

_DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "RELIABILITY.md"
_END = "the end"
_UPDATES = "subscription { incidentUpdates { updateType incident { id title alertCount } } }"
_NEW = "subscription { newIncidents { id title } }"
_RATE = 20.0  # alerts a second
_GOING = 8  # clients of each of the bad kinds at a time
_RESTARTS = 45.0  # seconds between two restarts of an actor
_LOOKS = 10.0  # seconds between two looks at the process
_MIB = 2**20
_BEGIN = "<!-- soak:begin (written by make soak ARGS=--write) -->"
_STOP = "<!-- soak:end -->"

Task = Callable[[], Awaitable[None]]
GONE = (trio.BrokenResourceError, trio.ClosedResourceError, OSError, httpx.HTTPError)


@frozen
class Held:
    """What the server's process holds: counts, and bytes of memory."""

    memory: int
    files: int
    threads: int
    tasks: int
    actors: int
    connections: int


class Soak:
    """The load, and what has happened: ``done`` counts it."""

    def __init__(self, server: ServerProcess, seed: int) -> None:
        self.server = server
        self.place = server.place
        self.done: Counter[str] = Counter()
        self.most = 0
        self._dice = random.Random(seed)
        self._numbers = iter(range(sys.maxsize))

    async def held(self) -> Held:
        """What it holds now. The request for it is one of the connections and tasks."""
        async with httpx.AsyncClient(base_url=self.place.http, timeout=PATIENCE) as http:
            answer = await http.get("/debug/actors", params={"limit": 1000})
        root = answer.json()["root"]
        names = list(ids(root))
        listener = next(node for node in root["children"] if node["kind"] == "listener")
        status = Path(f"/proc/{self.server.running.pid}/status").read_text()
        found = dict(line.split(":", 1) for line in status.splitlines())
        return Held(
            memory=int(found["VmRSS"].split()[0]) * 1024,
            files=len(os.listdir(f"/proc/{self.server.running.pid}/fd")),
            threads=int(found["Threads"]),
            tasks=listener["stats"]["tasks"],
            actors=len(names),
            connections=listener["stats"]["connections"],
        )

    async def quiet(self) -> Held:
        """What it holds when everybody has left and what was being ended has ended."""
        with trio.fail_after(PATIENCE):
            before = await self.held()
            while True:
                await trio.sleep(6.0)  # idle connections of HTTP live for five seconds
                now = await self.held()
                if now.connections == 0 and (now.tasks, now.files) == (before.tasks, before.files):
                    return now
                before = now

    async def watch(self) -> None:
        """Remember the most memory that it had."""
        while True:
            statm = Path(f"/proc/{self.server.running.pid}/statm").read_text()
            self.most = max(self.most, int(statm.split()[1]) * os.sysconf("SC_PAGESIZE"))
            await trio.sleep(_LOOKS)

    async def alerts(self) -> None:
        """Send alerts, one at a time, at their rate."""
        async with httpx.AsyncClient(base_url=self.place.http, timeout=PATIENCE) as http:
            while True:
                began = trio.current_time()
                number = next(self._numbers)
                body = {
                    "source": f"s{number % 7}",
                    "title": f"soak {number // 3}",  # every incident gets three
                    "description": "d" * self._dice.randrange(2000),
                    "severity": self._dice.choice(["P0", "P1", "P2", "P3"]),
                }
                headers = {"Idempotency-Key": f"soak-{number}"}
                while not await self._send(http, body, headers):
                    self.done["alerts asked again"] += 1
                self.done["alerts"] += 1
                await trio.sleep_until(began + 1 / _RATE)

    async def _send(
        self, http: httpx.AsyncClient, body: dict[str, str], headers: dict[str, str]
    ) -> bool:
        answer = await http.post("/v1/alerts", json=body, headers=headers)
        assert answer.status_code in (202, 503), answer.text
        return answer.status_code == 202

    async def restarts(self) -> None:
        """Restart one actor after the other."""
        async with httpx.AsyncClient(base_url=self.place.http, timeout=PATIENCE) as http:
            while True:
                for name in ("root.registry", "root.hub", "root.journal"):
                    await trio.sleep(_RESTARTS)
                    answer = await http.post(f"/debug/actors/{name}/restart")
                    assert answer.status_code == 200, answer.text
                    self.done["actors restarted"] += 1

    async def forever(self, name: str, once: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again. That the server ends a connection is no failure."""
        while True:
            with suppress(*GONE):
                await once()
            self.done[name] += 1
            await trio.sleep(self._dice.random() * 0.2)

    async def come_and_go(self) -> None:
        """Subscribe, see something, and leave as one should."""
        async with opened(self.place.ws) as client:
            stream = await client.subscribe(_NEW)
            await client.next(stream)

    async def drop(self) -> None:
        """Subscribe, and be gone in the middle of it."""
        async with dialled(self.place) as stream:
            await shake(stream)
            for message in subscription(_UPDATES):
                await stream.send_all(masked(message))
            for _ in range(self._dice.randrange(3)):
                await stream.receive_some()
            await self._cut(stream)

    async def _cut(self, stream: SocketStream) -> None:
        await trio.aclose_forcefully(stream)

    async def bad_frames(self) -> None:
        """A WebSocket that breaks the protocol."""
        carrier = self._dice.choice([Carrier.HTTP_1, Carrier.HTTP_2])
        async with opened_wire(self.place, carrier) as wire:
            await wire.send_all(frame(1, b'{"type":"connection_init"}'))
            await wire.send_all(bad_frame(self._dice.randrange(10**6)).data)
            with trio.move_on_after(1):
                while await wire.receive_some():
                    pass

    async def bad_messages(self) -> None:
        """A WebSocket that says what it must not."""
        carrier = self._dice.choice([Carrier.HTTP_1, Carrier.HTTP_2])
        async with opened_wire(self.place, carrier) as wire:
            await wire.send_all(frame(1, b'{"type":"connection_init"}'))
            for _ in range(20):
                opcode, data = bad_message(self._dice.randrange(10**6))
                await wire.send_all(frame(opcode, data))
            with trio.move_on_after(1):
                while await wire.receive_some():
                    pass

    async def half_handshakes(self) -> None:
        """Part of a handshake, or a wrong one."""
        half = half_handshake(self._dice.randrange(10**6))
        async with dialled(self.place) as stream:
            for piece in half.pieces:
                await stream.send_all(piece)
            with trio.move_on_after(1):
                await stream.receive_some()

    async def nuisance(self) -> None:
        """One that sits there, does what it should not, and is gone."""
        async with self._dice.choice(ALL)(self.place):
            await trio.sleep(self._dice.random() * 10)

    def load(self) -> Iterator[tuple[str, Task]]:
        """What runs besides the subscribers."""
        bad = {
            "subscribed and left": self.come_and_go,
            "subscribed and cut": self.drop,
            "bad frames": self.bad_frames,
            "bad messages, twenty each": self.bad_messages,
            "half handshakes": self.half_handshakes,
            "nuisances": self.nuisance,
        }
        for name, once in bad.items():
            for _ in range(_GOING):
                yield name, once


async def soak(minutes: float, seed: int, console: Console) -> tuple[Soak, Held, Held]:
    """Run it; raises AssertionError for a lost or repeated event, or where something is left."""
    settings = {"server__graceful_timeout": 10, "limits__stall_timeout": 5}
    settings |= {"limits__outbox_bytes": 65536, "limits__init_timeout": 5}
    with tempfile.TemporaryDirectory() as folder:
        async with run(Path(folder), **settings) as server:
            work = Soak(server, seed)
            # Rings and caches fill up to their bounds: that is no leak.
            console.print(f"warming up: {minutes / 6:.1f} minutes")
            await _for(work, minutes / 6)
            before = await work.quiet()
            work.done.clear()
            async with opened(work.place.ws) as client:
                cursor = (await client.data("{ cursor }"))["cursor"]
            up = Up()
            up.now()
            followers = [Follower(up, work.place.ws, _UPDATES, cursor) for _ in range(4)]
            async with trio.open_nursery() as following:
                for follower in followers:
                    following.start_soon(follower.run, _END)
                await _for(work, minutes, console)
                async with opened(work.place.ws) as client:
                    await client.submit(_END)
            after = await work.quiet()
            assert await server.stop() == 0
            complaints = Counter(entry["event"] for entry in server.complaints())
            console.print("what it complained of:", dict(complaints))
            bodies = events(server.place.journal)
            check_offsets(bodies)
            since = int(cursor.rpartition(":")[2])
            for follower in followers:
                work.done["deliveries checked"] += len(follower.events)
                assert [at for at, _ in follower.events] == list(range(since + 1, len(bodies) + 1))
    return work, before, after


async def _for(work: Soak, minutes: float, console: Console | None = None) -> None:
    until = trio.current_time() + minutes * 60
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work.alerts)
        nursery.start_soon(work.restarts)
        nursery.start_soon(work.watch)
        for name, once in work.load():
            nursery.start_soon(work.forever, name, once)
        while (left := until - trio.current_time()) > 0:
            await trio.sleep(min(60.0, left))
            if console is not None:
                console.print(f"{left / 60:.0f} minutes left", dict(work.done), work.most // _MIB)
        nursery.cancel_scope.cancel()


def table(work: Soak, before: Held, after: Held, minutes: float) -> str:
    """The figures, as Markdown."""
    rows = [("memory, MB", before.memory / _MIB, after.memory / _MIB)]
    rows += [
        (name, float(value), float(asdict(after)[name]))
        for name, value in asdict(before).items()
        if name != "memory"
    ]
    where = f"{os.cpu_count()} cores, CPython {platform.python_version()}, {platform.system()}"
    lines = [
        f"`make soak` on {time.strftime('%Y-%m-%d')}: {minutes:g} minutes, {where}.",
        "",
        "| The process holds | before | after |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {first:,.0f} | {last:,.0f} |" for name, first, last in rows),
        "",
        f"At most {work.most / _MIB:,.0f} MB of memory at any look. What happened in between:",
        "",
        "| What | how often |",
        "| --- | ---: |",
        *(f"| {name} | {count:,} |" for name, count in sorted(work.done.items())),
    ]
    return "\n".join(lines)


def left_over(before: Held, after: Held) -> list[str]:
    """What is more than it was; of memory a sixth, as Python gives little of it back."""
    found = [
        name
        for name, value in asdict(before).items()
        if name != "memory" and asdict(after)[name] > value
    ]
    return found + (["memory"] if after.memory > before.memory * 7 / 6 + 8 * _MIB else [])


@click.command()
@click.option("--minutes", default=30.0, type=click.FloatRange(0.1, 600))
@click.option("--seed", default=0, help="What the clients do follows from it.")
@click.option("--write", is_flag=True, help="Write the figures into docs/RELIABILITY.md.")
def main(minutes: float, seed: int, *, write: bool) -> None:
    """Load a server for some time, and see what is left of it."""
    console = Console(stderr=True)
    work, before, after = trio.run(soak, minutes, seed, console)
    block = table(work, before, after, minutes)
    print(block)
    if write:
        text = _DOCUMENT.read_text()
        _DOCUMENT.write_text(place_between(text, _BEGIN, _STOP, block))
    print(json.dumps({"before": asdict(before), "after": asdict(after)}), file=sys.stderr)
    if left := left_over(before, after):
        raise SystemExit(f"left over: {', '.join(left)}")


if __name__ == "__main__":
    main()
