"""``make abuse``: what each abuse of HTTP/2 costs the server, and another client beside it.

Each is done again and again, each time on a new connection, for some seconds. The other client is
a process of its own (``load.asker``). Where there are two cores, it and the attacker share one and
the server has the other. The first rows are for comparison: an attacker that takes the other
client's core and sends nothing, and a client that behaves and asks as fast as it can.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import trio
from attrs import frozen
from h2.errors import ErrorCodes
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load import asker
from load.machine import Neighbours
from load.marked import place_between
from system.harness import ServerProcess, run
from system.rude_h2 import rude_h2
from system.test_h2_abuse import ABUSES, Abuse, resident

_DOCUMENT: Final = Path(__file__).resolve().parent.parent.parent / "docs" / "RELIABILITY.md"
_BEGIN: Final = "<!-- abuse:begin (written by make abuse ARGS=--write) -->"
_STOP: Final = "<!-- abuse:end -->"
_CALM: Final = 2.0  # seconds of nothing before each abuse, which are measured too
_WARM: Final = 3.0  # seconds in which everything is loaded and called once
_MIB: Final = 2**20

# Frames sent (None: very few), and what came of it.
Once = Callable[[ServerProcess], Awaitable[tuple[int | None, str]]]


@frozen
class Row:
    """What one abuse has done, so many times with so many frames each (None: very few); memory in
    bytes; what the other client saw, in milliseconds.
    """

    name: str
    times: int
    frames: int | None
    answers: tuple[str, ...]
    memory_before: int
    memory_after: int
    other_before: str
    other_during: str


@frozen
class Figures:
    """All of them, and how they were taken."""

    rows: Sequence[Row]
    seconds: float
    pinned: bool
    neighbours: float


def pin(process: int) -> bool:
    """Give the server a core and this process, with what it starts, another; whether there are."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return False
    for thread in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores[-1:])
    os.sched_setaffinity(0, cores[:1])
    return True


@contextmanager
def asking(port: int, file: Path) -> Iterator[None]:
    """Another client, until the end. Raises AssertionError if it did not last so long."""
    file.touch()
    with subprocess.Popen([sys.executable, asker.__file__, str(port), str(file)]) as process:
        try:
            yield
            assert process.poll() is None, "the other client was not served"
        finally:
            process.kill()


def abusing(abuse: Abuse) -> Once:
    """An abuse, which must end as it should: else AssertionError."""

    async def once(server: ServerProcess) -> tuple[int | None, str]:
        async with rude_h2(server.place) as rude:
            sent = await abuse.do(rude)
            code = await rude.end()
        assert code in abuse.ends, (abuse.name, code)
        frames = sent if isinstance(sent, int) else None
        return frames, "the connection ends" if code is None else ErrorCodes(code).name

    return once


async def _computes(server: ServerProcess) -> tuple[int | None, str]:
    sum(range(100_000))
    await trio.lowlevel.checkpoint()
    return 0, "it sends nothing"


async def _behaves(server: ServerProcess) -> tuple[int | None, str]:
    async with rude_h2(server.place) as client:
        numbers = range(1, 201, 2)
        for number in numbers:
            await client.send(client.headers(number))
            assert await client.status(number) == "200"
    return len(numbers), "each was answered"


_COMPARED: Final = (
    ("(an attacker that only computes)", _computes),
    ("(a client that behaves)", _behaves),
)


async def measure(name: str, once: Once, server: ServerProcess, asked: Path, seconds: float) -> Row:
    """Do it again and again for so long."""
    calm = time.monotonic()
    await trio.sleep(_CALM)
    began, memory = time.monotonic(), resident(server)
    times = frames = 0
    few = False
    answers: set[str] = set()
    while time.monotonic() < began + seconds:
        sent, answer = await once(server)
        times += 1
        frames += sent or 0
        few = sent is None
        answers.add(answer)
    ended, found = time.monotonic(), asker.read_asked(asked)
    return Row(
        name,
        times,
        None if few else frames // times,
        tuple(sorted(answers)),
        memory,
        resident(server),
        asker.summary(found, calm, began),
        asker.summary(found, began, ended),
    )


async def attack(abuses: Sequence[Abuse], seconds: float, console: Console) -> Figures:
    """All of them, one after the other, at one server."""
    neighbours = Neighbours()
    with tempfile.TemporaryDirectory() as folder:
        async with run(Path(folder)) as server:
            pinned, file = pin(server.running.pid), Path(folder) / "asked"
            with asking(server.place.port, file):
                await trio.sleep(_WARM)
                for abuse in ABUSES:
                    await abusing(abuse)(server)
                rows = []
                for name, once in (*_COMPARED, *((each.name, abusing(each)) for each in abuses)):
                    rows.append(await measure(name, once, server, file, seconds))
                    console.print(_line(rows[-1]), soft_wrap=True)
            complaints = server.complaints()
            assert complaints == [], complaints
            assert await server.stop() == 0
    return Figures(rows, seconds, pinned, neighbours.cores())


def _line(row: Row) -> str:
    cells = (
        row.name,
        f"{row.times:,}",
        "a few" if row.frames is None else f"{row.frames:,}",
        ", ".join(row.answers),
        f"{row.memory_before / _MIB:.0f} → {row.memory_after / _MIB:.0f}",
        row.other_before,
        row.other_during,
    )
    return f"| {' | '.join(cells)} |"


def table(figures: Figures) -> str:
    """The figures, as Markdown."""
    where = f"{os.cpu_count()} cores, CPython {platform.python_version()}, {platform.system()}"
    cores = (
        "The server has one core, the attacker and the other client share another."
        if figures.pinned
        else "All of them share the cores there are."
    )
    load = f"Programs that have nothing to do with it kept {figures.neighbours:.1f} cores busy"
    return "\n".join(
        (
            f"`make abuse` on {time.strftime('%Y-%m-%d')}: {figures.seconds:g} seconds each, "
            f"{where}. {cores} {load}.",
            "",
            "| Abuse | times | frames each time | how the server ended it "
            "| server's memory, MB | another client before, p50 / p99 ms | during it |",
            "| --- | ---: | ---: | --- | ---: | ---: | ---: |",
            *map(_line, figures.rows),
        )
    )


@click.command()
@click.option("--seconds", default=2.0, type=click.FloatRange(0.1, 600), help="Of each abuse.")
@click.option("--only", default="", help="Those with this text in their names.")
@click.option("--write", is_flag=True, help="Write the figures into docs/RELIABILITY.md.")
def main(seconds: float, only: str, *, write: bool) -> None:
    """Abuse a server, and see what it costs others."""
    chosen = [each for each in ABUSES if only in each.name]
    if not chosen:
        raise click.UsageError(f"no abuse has {only!r} in its name")
    if write and len(chosen) < len(ABUSES):
        raise click.UsageError("--write needs all of them")
    block = table(trio.run(attack, chosen, seconds, Console(stderr=True)))
    print(block)
    if write:
        _DOCUMENT.write_text(place_between(_DOCUMENT.read_text(), _BEGIN, _STOP, block))


if __name__ == "__main__":
    main()
