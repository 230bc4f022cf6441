"""Many connections written to at once: each gets everything, once and in order."""

import errno
import os
from array import array
from collections.abc import Sequence
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.io_uring import BELL, Ring, RingUnavailable
from incident_manager.http.volley import Volley
from incident_manager.http.wire import Wire
from incident_manager.supervision import open_supervisor
from unit.http.peer import Peer

MANY = 12


class Kernel:
    """What is under way: the ring's other side. ``takes`` is how many it takes at a time,
    ``thread`` whether there is one of its own, and ``lags`` whether the bell is heard a little
    before its end is seen.
    """

    def __init__(self, peers: list[Peer], capacity: int = 64, entries: int = 32) -> None:
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.peers = peers
        self.capacity = capacity
        self.most = entries - 1
        self.new: list[tuple[int, int, bytes, bool]] = []
        self.apart: list[tuple[int, int, bytes]] = []
        self.done: list[tuple[int, int]] = []
        self.takes = 1000
        self.thread = True
        self.lags = False
        self.unseen: list[tuple[int, int]] = []
        self.ended = False
        self.memory = b""

    def __enter__(self) -> "Kernel":
        return self

    def __exit__(self, *_: object) -> None:
        assert not self.apart
        self.ended = True
        os.close(self.bell)

    def send(self, token: int, sends: Sequence[tuple[int, bytes]], apart: int) -> None:
        assert token > BELL
        for number, (descriptor, data) in enumerate(sends):
            self.new.append((token + number, descriptor, data, number < apart))
        assert len(self.new) <= self.most

    def call(self) -> None:
        self.new.append((BELL, -1, b"", True))

    def submit(self, *, wait: bool = False) -> int:
        new, self.new = self.new, []
        self.done += self.unseen
        self.unseen = []
        for token, descriptor, data, apart in new[: self.takes]:
            if apart and not self.thread:
                self.done.append((token, -errno.ECANCELED))
            elif apart:
                self.apart.append((token, descriptor, data))
            else:
                self._do(token, descriptor, data)
        if wait and not self.done:
            assert self.apart, "it would wait for ever"
            self.go_on(1)
        assert len(self.apart) + len(self.done) <= self.capacity
        return len(new[self.takes :])

    def go_on(self, count: int) -> None:
        """The thread beside does some of what it was given."""
        some, self.apart = self.apart[:count], self.apart[count:]
        for token, descriptor, data in some:
            if token == BELL:
                os.eventfd_write(self.bell, 1)
            self._do(token, descriptor, data)
            if token == BELL and self.lags:
                self.unseen.append(self.done.pop())

    def _do(self, token: int, descriptor: int, data: bytes) -> None:
        result = 8
        if token != BELL:
            result = -errno.EBADF
            if descriptor >= 0:
                peer = self.peers[descriptor]
                assert peer.descriptor == descriptor, "the socket was closed"
                result = -errno.EPIPE if peer.gone else (peer.try_send(data) or -errno.EAGAIN)
        self.done.append((token, result))

    def place(self, data: bytes) -> int:
        self.memory = data
        return 0

    def spread(
        self, token: int, heads: "array[int]", places: Sequence[int], size: int, apart: int
    ) -> None:
        assert len(heads) == len(places)
        for number, (head, place) in enumerate(zip(heads, places, strict=True)):
            data = self.memory[place : place + size]
            assert len(data) == size
            self.new.append((token + number, head >> 32, data, number < apart))
        assert len(self.new) <= self.most

    def completed(self) -> tuple[list[int], list[int]]:
        done, self.done = self.done, []
        return [token for token, _ in done], [result for _, result in done]


class Sky:
    """A volley, its kernel, and wires to peers."""

    def __init__(self, nursery: trio.Nursery, count: int = MANY, cores: int = 2) -> None:
        self.peers = [Peer(number) for number in range(count)]
        self.kernel = Kernel(self.peers)
        self.volley = Volley(lambda: cast(Ring, self.kernel), cores)
        self.wires = [
            Wire(cast(GuardedSocket, peer), nursery.start_soon, None, self.volley)
            for peer in self.peers
        ]

    def write(self, data: bytes) -> None:
        with self.volley.together():
            for wire in self.wires:
                assert wire.write(data) in (0, wire.size)

    def open(self, size: int) -> None:
        for peer in self.peers:
            peer.open(size)

    def got(self) -> set[bytes]:
        return {bytes(peer.got) for peer in self.peers}


async def test_all_leave_at_once_and_the_bell_says_so() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.write(b"one")
            assert sky.got() == {b""}  # all of it is with the kernel's thread
            assert sky.volley.statistics()["under_way"] == MANY
            sky.write(b"two")  # waits until that has landed
            assert {wire.size for wire in sky.wires} == {3}
            sky.kernel.go_on(1000)
            for wire in sky.wires:
                await wire.emptied()
            assert sky.got() == {b"onetwo"}
            assert {wire.taken for wire in sky.wires} == {6}
        assert sky.kernel.ended


async def test_a_bell_that_is_heard_before_its_end_is_seen() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.kernel.lags = True
            for data in (b"one", b"two", b"six"):
                sky.write(data)
                sky.kernel.go_on(1000)
                await trio.testing.wait_all_tasks_blocked()
                assert sky.volley.statistics()["under_way"] == 0
            assert sky.got() == {b"onetwosix"}


@pytest.mark.parametrize("at_first", [True, False])
async def test_where_the_kernel_gets_no_thread(at_first: bool) -> None:
    """By a limit on processes: what was to be done by it, it cancels."""
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        sky.kernel.thread = at_first
        async with open_supervisor("root", sky.volley.children()):
            sky.kernel.thread = False
            sky.open(100)
            for data in (b"one", b"two"):
                sky.write(data)
                for wire in sky.wires:
                    await wire.emptied()
            assert sky.got() == {b"onetwo"}
            assert not any(wire.closed for wire in sky.wires)
            assert sky.volley.statistics()["under_way"] == 0


async def test_with_one_processor_nothing_is_done_beside() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery, cores=1)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.write(b"one")
            assert sky.got() == {b"one"}
            assert not sky.kernel.apart
            assert sky.volley.statistics() == {
                "io_uring": True, "writes": MANY, "under_way": 0
            }  # fmt: skip


async def test_what_is_large_is_written_at_once_and_counts_as_waiting() -> None:
    large = bytes(20_000)
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(15_000)
            sky.write(large)
            assert sky.got() == {large[:15_000]}
            assert {wire.size for wire in sky.wires} == {5_000}
            sky.open(5_000)
            for wire in sky.wires:
                await wire.emptied()


async def test_a_few_are_written_without() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery, count=2)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(2)
            sky.write(b"one")
            assert sky.got() == {b"on"}
            sky.open(100)
            for wire in sky.wires:
                await wire.emptied()
            assert sky.got() == {b"one"}
            assert sky.volley.made == 0


async def test_what_the_kernel_does_not_take_is_written_without() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.kernel.takes = 5
            sky.write(b"one")
            assert [bytes(peer.got) for peer in sky.peers] == [b"one"] * MANY
            assert sky.got() == {b"one"}
            sky.kernel.takes = 1000
            sky.write(b"two")
            sky.volley.settle()
            assert sky.got() == {b"onetwo"}


async def test_more_than_a_ring_holds() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery, count=150)  # the kernel has 32 entries, and 64 results
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.write(b"one")
            assert len(sky.kernel.apart) == 64  # with the bell; the others were written without
            sky.volley.settle()
            assert sky.got() == {b"one"}


async def test_who_is_gone_is_closed_and_nobody_else() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.peers[0].gone = sky.peers[1].gone = True
            sky.wires[1].close()
            sky.write(b"one")
            sky.wires[2].close()
            sky.volley.settle()
            assert [wire.closed for wire in sky.wires] == [True] * 3 + [False] * 9
            assert [bytes(peer.got) for peer in sky.peers] == [b""] * 2 + [b"one"] * 10
            assert {peer.hold for peer in sky.peers} == {None}


async def test_a_connection_that_was_cut_off_in_the_block() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            with sky.volley.together():
                for wire in sky.wires:
                    wire.write(b"one")
                sky.peers[3].descriptor = -1
                sky.peers[3].gone = True
                sky.wires[4].close()
            sky.volley.settle()
            assert sky.wires[3].closed
            assert [bytes(peer.got) for peer in sky.peers[2:6]] == [b"one", b"", b"", b"one"]


async def test_what_is_under_way_lands_before_the_ring_is_given_back() -> None:
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        async with open_supervisor("root", sky.volley.children()):
            sky.open(100)
            sky.write(b"one")
        assert sky.got() == {b"one"}
        assert not any(wire.size for wire in sky.wires)
        sky.write(b"two")  # by system calls
        assert sky.got() == {b"onetwo"}


async def test_without_io_uring(caplog: pytest.LogCaptureFixture) -> None:
    def refuse() -> Ring:
        raise RingUnavailable("Operation not permitted")

    caplog.set_level("INFO")
    async with trio.open_nursery() as nursery:
        sky = Sky(nursery)
        sky.volley = Volley(refuse)
        async with open_supervisor("root", sky.volley.children()):
            await trio.testing.wait_all_tasks_blocked()
            sky.open(100)
            sky.write(b"one")
            assert sky.got() == {b"one"}
            assert not sky.volley.statistics()["io_uring"]
    assert "Operation not permitted" in caplog.text


@pytest.mark.parametrize(("found", "beside"), [(4, True), (1, False), (None, False)])
def test_where_the_system_does_not_say_on_which_processors(
    monkeypatch: pytest.MonkeyPatch, found: int | None, beside: bool
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: found)
    assert (Volley()._most_apart > 0) is beside


Step = tuple[str, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 20)),
        st.tuples(st.just("open"), st.integers(1, 30)),
        st.tuples(st.just("kernel"), st.integers(1, 2 * MANY)),
        st.tuples(st.just("takes"), st.integers(0, MANY)),
        st.tuples(st.just("settle"), st.just(0)),
        st.tuples(st.just("one"), st.integers(0, MANY - 1)),
    ),
    max_size=40,
)


@given(STEPS, st.sampled_from([1, 2]))
def test_everything_arrives_once_and_in_order(steps: list[Step], cores: int) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            sky = Sky(nursery, cores=cores)
            expected = [b""] * MANY
            async with open_supervisor("root", sky.volley.children()):
                for serial, (what, number) in enumerate(steps):
                    data = bytes([serial % 256]) * number
                    if what == "write":
                        sky.write(data)
                        expected = [each + data for each in expected]
                    elif what == "open":
                        sky.open(number)
                    elif what == "kernel":
                        sky.kernel.go_on(number)
                    elif what == "takes":
                        sky.kernel.takes = number or 1000
                    elif what == "settle":
                        sky.volley.settle()
                    else:
                        sky.wires[number].write(b"!")
                        expected[number] += b"!"
                    await trio.testing.wait_all_tasks_blocked()
                sky.open(100_000)
                sky.volley.settle()
                for wire in sky.wires:
                    await wire.emptied()
            assert [bytes(peer.got) for peer in sky.peers] == expected
            assert [wire.taken for wire in sky.wires] == [len(each) for each in expected]

    trio.run(run)
