"""What leaves for many connections at once: all of it in a few system calls, where there is a ring.

The kernel's part of a write to a socket costs more than all of ours. A ring saves the call for each
of them, and has a thread of the kernel's do some of the work while this one goes on.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import trio

from incident_manager.http.io_uring import BELL, Ring, RingUnavailable
from incident_manager.http.squad import Squad
from incident_manager.supervision import Child, ChildSpec

__all__ = ["Flight", "Volley"]

_log = logging.getLogger(__name__)
_FEW: Final = 8  # writes that are not worth a ring
_SERIAL: Final = 32  # bits of a token that say which of a squad it is
_INDEX: Final = (1 << _SERIAL) - 1
_SHARE: Final = 8  # of a squad, one in so many is written apart: clients need processors, too
_APART: Final = 256  # writes, at most, that wait for the kernel's thread
# No room; or the kernel has no memory, or no thread, for what was to be sent apart.
_AGAIN: Final = frozenset(
    -each for each in (errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM, errno.ECANCELED)
)


class Flight(Protocol):
    """A connection that something is on its way to. Nothing else is written to it meanwhile."""

    @property
    def descriptor(self) -> int:
        """Its socket; -1 if that is closed: it must not be, while something is on its way."""
        ...

    def landed(self, data: bytes, taken: int) -> None:
        """So many bytes of it were taken, or -1: the connection is gone."""
        ...

    def write_now(self, data: bytes) -> None:
        """Write it by a system call of its own."""
        ...


class Volley:
    """Writes to many connections. ``made`` counts those by a ring.

    ``opener`` makes the ring, ``cores`` is on how many processors this process may run: with one
    there is nobody beside it. Where it is not ``wanted``, none is made.
    """

    def __init__(
        self,
        opener: Callable[[], Ring] = Ring,
        cores: int | None = None,
        *,
        wanted: bool = True,
    ) -> None:
        self._opener = opener
        self._wanted = wanted
        found = _cores() if cores is None else cores
        self._most_apart = _APART if found > 1 else 0
        self._ring: Ring | None = None
        self._gathered: list[tuple[Flight, bytes]] = []
        self._aloft: dict[int, tuple[Flight, bytes]] = {}
        self._called = False
        self._heard = 0  # how often the bell was rung, less those that have landed
        self._token = BELL + 1
        self._squads: dict[int, Squad] = {}
        self._serial = 0
        self._in_squads = 0
        self.gathering = False
        self.made = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written inside the block, which must not wait, leaves at its end."""
        if self._ring is None:
            yield
            return
        self.gathering = True
        try:
            yield
        finally:
            self.gathering = False
            self._fire()

    def add(self, flight: Flight, data: bytes) -> None:
        """Have it written at the end of the block; how that went the flight is told by then, or
        soon after.
        """
        self._gathered.append((flight, data))

    def settle(self) -> None:
        """Wait, and have everybody else wait, until nothing is on its way: a millisecond or so.

        A socket must not be closed before: its number could be another's by then.
        """
        while self._ring is not None and (self._under_way or self._called):
            self._ring.submit(wait=True)
            self._land(self._ring)

    @property
    def ready(self) -> bool:
        """Whether there is a ring."""
        return self._ring is not None

    @property
    def _under_way(self) -> int:
        return len(self._aloft) + self._in_squads

    def send_all(self, squad: Squad) -> None:
        """Begin to write now; who fails, and how many have landed, its targets are told by the end
        of the call or soon after.
        """
        ring, count, begin = self._ring, len(squad.heads), 0
        self._serial = serial = self._serial + 1
        if ring is not None and count >= _FEW:
            self._squads[serial] = squad
            place = ring.place(squad.data)
            while begin < count:
                some = min(count - begin, ring.most, ring.capacity - 1 - self._under_way)
                if some <= 0:
                    break
                apart = max(0, min(-(-some // _SHARE), self._most_apart - self._under_way))
                end = begin + some
                places = squad.places(place, begin, end)
                token = serial << _SERIAL | begin
                ring.spread(token, squad.heads[begin:end], places, squad.size, apart)
                self._in_squads += some
                left, uncalled = self._enter(ring, apart=apart > 0)
                self._one_by_one(squad, end - left, end, serial)
                self._in_squads -= left
                self._land(ring)
                if uncalled:
                    self.settle()
                begin = end
        self._one_by_one(squad, begin, count, serial)

    def _one_by_one(self, squad: Squad, begin: int, end: int, serial: int) -> None:
        for at in range(begin, end):
            squad.targets.write_now(at, squad.part(at))
        if begin < end:
            self._have_landed(serial, squad, end - begin)

    def _have_landed(self, serial: int, squad: Squad, count: int) -> None:
        squad.left -= count
        if not squad.left:
            self._squads.pop(serial, None)
        squad.targets.landed(count)

    def _fire(self) -> None:
        gathered, self._gathered = self._gathered, []
        ring = self._ring
        if ring is None or len(gathered) < _FEW:
            for flight, data in gathered:
                flight.write_now(data)
            return
        room = ring.capacity - 1 - self._under_way
        begin = 0
        while begin < min(len(gathered), room):
            some = gathered[begin : min(begin + ring.most, room)]
            apart = max(0, self._most_apart - self._under_way)
            first, self._token = self._token, self._token + len(some)
            self._aloft.update(zip(range(first, self._token), some, strict=True))
            ring.send(first, [(flight.descriptor, data) for flight, data in some], apart)
            self._submit(ring, apart=apart > 0)
            begin += len(some)
            room = begin + ring.capacity - 1 - self._under_way
        for flight, data in gathered[begin:]:  # the kernel's thread is far behind
            flight.write_now(data)

    def _submit(self, ring: Ring, *, apart: bool) -> None:
        """Hand it over; what the kernel does not take is written without it."""
        left, uncalled = self._enter(ring, apart=apart)
        for token in range(self._token - left, self._token):
            flight, data = self._aloft.pop(token)
            flight.write_now(data)
        self._land(ring)
        if uncalled:
            self.settle()

    def _enter(self, ring: Ring, *, apart: bool) -> tuple[int, bool]:
        """Hand it over: how many of the last the kernel does not take, and whether it has not been
        called to tell of those that are apart.
        """
        calls = apart and not self._called
        if calls:
            self._called = True
            ring.call()
        left = ring.submit()
        uncalled = calls and left > 0  # the call was the last
        self._called &= not uncalled
        return left - uncalled, uncalled

    def _land(self, ring: Ring) -> None:
        tokens, results = ring.completed()
        if len(self._squads) == 1 and not self._aloft and tokens:
            [(serial, squad)] = self._squads.items()
            well = results.count(squad.size)
            if tokens[-1] == BELL and well == len(results) - 1:
                self._rung(results.pop())
            if well and well == len(results):  # as nearly always
                self._in_squads -= well
                self.made += well
                self._have_landed(serial, squad, well)
                return
        for token, result in zip(tokens, results, strict=False):
            if token == BELL:
                self._rung(result)
                continue
            self.made += 1
            taken = 0 if result in _AGAIN else max(result, -1)
            if token < 1 << _SERIAL:
                flight, data = self._aloft.pop(token)
                flight.landed(data, taken)
                continue
            serial, at = token >> _SERIAL, token & _INDEX
            squad = self._squads[serial]
            self._in_squads -= 1
            if taken != squad.size:
                squad.targets.failed(at, squad.part(at), taken)
            self._have_landed(serial, squad, 1)

    def _rung(self, result: int) -> None:
        self._called = False
        self._heard -= result > 0

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree."""
        return {
            "io_uring": self._ring is not None,
            "writes": self.made,
            "under_way": self._under_way,
        }

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor: it hears of what the kernel's thread has done."""
        child.observe(self.statistics)
        if not self._wanted:
            task_status.started()
            await trio.sleep_forever()
        try:
            ring = self._opener()
        except RingUnavailable as reason:
            _log.info("every write is a system call of its own, for want of io_uring: %s", reason)
            task_status.started()
            await trio.sleep_forever()
        with ring:
            if self._most_apart and not _has_thread(ring):
                _log.info("the kernel has no thread for io_uring: nothing is written beside")
                self._most_apart = 0
            self._heard = 0
            self._ring = ring
            task_status.started()
            try:
                while True:
                    await trio.lowlevel.wait_readable(ring.bell)
                    with suppress(BlockingIOError):  # nobody has rung
                        self._heard += os.eventfd_read(ring.bell)
                    self._land(ring)
                    while self._heard > 0:  # the kernel is between the bell and saying so
                        ring.submit(wait=True)
                        self._land(ring)
                    if self._under_way and not self._called:
                        self._submit(ring, apart=True)
            finally:
                self.settle()
                self._ring = None

    def children(self) -> tuple[ChildSpec, ...]:
        """The actor, for a supervisor to run."""
        return (ChildSpec("volley", self.run, kind="volley", shutdown=0),)


def _cores() -> int:
    """On how many processors this process may run."""
    if hasattr(os, "sched_getaffinity"):  # not every system has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _has_thread(ring: Ring) -> bool:
    """Have the kernel make the thread that writes beside, which it keeps then; whether it could: a
    limit on processes counts it.
    """
    ring.call()
    if ring.submit():
        return False
    while not (results := ring.completed()[1]):
        ring.submit(wait=True)
    made = all(result > 0 for result in results)
    if made:
        os.eventfd_read(ring.bell)
    return made
