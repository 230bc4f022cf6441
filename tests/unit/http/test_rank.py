"""Subscriptions that are fed as one: each client gets what it would get alone, in order."""

from typing import cast

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.batch import Batch
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.ports import Ranks
from incident_manager.http.compressed_writer import CompressedWriter
from incident_manager.http.counters import Counters
from incident_manager.http.deflate import Agreement
from incident_manager.http.frames import next_prefix, pong_frame
from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.io_uring import Ring
from incident_manager.http.outbox import Outbox
from incident_manager.http.sink import SubscriptionSink
from incident_manager.http.volley import Volley
from incident_manager.http.websocket_writer import WebSocketWriter
from incident_manager.http.wire import Wire
from incident_manager.supervision import open_supervisor
from unit.actors.builders import make_history
from unit.http.peer import Peer
from unit.http.test_volley import Kernel

MANY = 12
LIMIT = 4096
RECORD = make_history(1)[0]


class Client:
    """One connection with a subscription; ``expected`` is what it ought to have been sent."""

    def __init__(self, table: "Table", number: int, id_: str, *, compresses: bool) -> None:
        self.peer = Peer(number)
        socket = cast(GuardedSocket, self.peer)
        self.wire = Wire(socket, table.nursery.start_soon, None, table.volley)
        made: WebSocketWriter = WebSocketWriter(self.wire)
        if compresses:
            made = CompressedWriter(self.wire, Agreement(15, ""))
        made.open = True
        self.writer = made
        self.outbox = Outbox(
            made, table.send, table.nursery.start_soon, LIMIT, table.counters, table.latency
        )
        self.prefix = next_prefix(id_)
        self.sink = SubscriptionSink(self.outbox, id_, tells=True)
        self.stands = False
        self.position = -1
        self.expected = b""

    def fallen_out(self, position: int) -> None:
        self.position = position
        assert self.stands
        self.stands = False

    def frames(self, batch: Batch) -> bytes:
        return b"".join(self.writer.frames(self.prefix, Batch(batch.payloads)))


class Table:
    """Clients of one group, and their kernel."""

    def __init__(self, nursery: trio.Nursery, ids: list[str], compressing: int = 0) -> None:
        self.nursery = nursery
        self.counters = Counters()
        self.latency = Deliveries()
        self.position = 0
        self.ranks: Ranks = {}
        peers: list[Peer] = []
        self.kernel = Kernel(peers)
        self.volley = Volley(lambda: cast(Ring, self.kernel), 2)
        self.clients = [
            Client(self, number, id_, compresses=number < compressing)
            for number, id_ in enumerate(ids)
        ]
        peers += [client.peer for client in self.clients]

    async def send(self, message: dict[str, object]) -> None:
        raise AssertionError(message)

    def offer(self, batch: Batch) -> None:
        """As a group and the hub do it."""
        with self.volley.together():
            for client in self.clients:
                sink = client.sink
                if sink.drilled and not client.stands:
                    client.stands = sink.fall_in(self.ranks, batch, client)
            self.position += 1
            standing = [client for client in self.clients if client.stands]
            for rank in tuple(self.ranks.values()):
                self.latency.subject = RECORD
                if not rank.offer_all(batch, self.position):
                    rank.disband()
                self.latency.subject = None
            for client in self.clients:
                had = client in standing and (client.stands or client.position == self.position)
                if had or client.sink.offer_all(batch):
                    client.expected += client.frames(batch)
                    client.outbox.flush()

    def got(self) -> list[bytes]:
        return [bytes(client.peer.got) for client in self.clients]

    @property
    def expected(self) -> list[bytes]:
        return [client.expected for client in self.clients]


def payload(number: int, size: int = 40) -> bytes:
    return b'{"data":{"x":"%b"},"extensions":{"cursor":"e:%d"}}' % (b"x" * size, number)


async def test_they_are_told_as_one_and_as_each_would_be_alone() -> None:
    ids = ["1"] * MANY + ["aa", "ab", "ac"] * 4
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ids, compressing=9)
        async with open_supervisor("root", table.volley.children()):
            for client in table.clients:
                client.peer.open(100_000)
            for number in range(5):
                table.offer(Batch([payload(number), payload(number + 1)]))
            table.volley.settle()
            assert all(client.stands for client in table.clients)
            assert len(table.ranks) == 3
            assert table.got() == table.expected
            assert table.counters.messages_out == 2 * 5 * len(ids)
            assert table.counters.bytes_out == sum(map(len, table.expected))
            assert [client.outbox.bytes_out for client in table.clients] == [
                len(each) for each in table.expected
            ]
            assert sum(table.latency.latency.counts) == 2 * 5 * len(ids)
            for client in table.clients:
                client.outbox.close()
            assert not any(client.stands for client in table.clients)
            assert {client.position for client in table.clients} == {5}
            assert {client.peer.hold for client in table.clients} == {None}
            assert [client.outbox.bytes_out for client in table.clients] == [
                len(each) for each in table.expected
            ]
            assert [client.wire.taken for client in table.clients] == [
                len(each) for each in table.expected
            ]


async def test_one_that_falls_out_while_the_next_is_made_leaves_no_id_behind() -> None:
    """What was on its way to the first lands in the middle of the next offer, and not whole."""
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["x"] + ["y"] * MANY)
        async with open_supervisor("root", table.volley.children()):
            for client in table.clients[1:]:
                client.peer.open(100_000)
            table.offer(Batch([payload(1)]))
            assert table.clients[0].outbox.place is not None
            assert table.clients[0].outbox.place.at == 0
            assert table.kernel.apart
            table.offer(Batch([payload(2)]))
            table.clients[0].peer.open(100_000)
            await table.clients[0].wire.emptied()
            table.volley.settle()
            assert table.got() == table.expected
            assert b'"id":"x"' not in b"".join(table.got()[1:])


async def test_what_is_too_large_is_offered_to_each() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        async with open_supervisor("root", table.volley.children()):
            for client in table.clients:
                client.peer.open(100_000)
            table.offer(Batch([payload(1)]))
            assert all(client.stands for client in table.clients)
            table.offer(Batch([payload(2, 5000)]))
            assert not any(client.stands for client in table.clients)
            table.volley.settle()
            assert table.got() == table.expected


async def test_who_is_cut_off_gets_nothing_more_by_its_number() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        async with open_supervisor("root", table.volley.children()):
            for client in table.clients:
                client.peer.open(100_000)
            table.offer(Batch([payload(1)]))
            gone = table.clients[3]
            assert gone.peer.hold is not None
            gone.peer.hold.settle()  # as its socket does
            assert not gone.stands
            assert gone.peer.hold is None
            assert bytes(gone.peer.got) == gone.expected


async def test_nothing_comes_behind_a_close() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        async with open_supervisor("root", table.volley.children()):
            for client in table.clients:
                client.peer.open(100_000)
            table.offer(Batch([payload(1)]))
            table.clients[2].writer.shut()
            table.clients[4].sink.open = False
            table.clients[4].sink.fall_out()
            assert [number for number in range(MANY) if not table.clients[number].stands] == [2, 4]
            table.offer(Batch([payload(2)]))
            table.volley.settle()
            one = len(table.clients[2].frames(Batch([payload(1)])))
            assert [len(each) // one for each in table.got()] == [
                2 - (number in (2, 4)) for number in range(MANY)
            ]


async def test_without_a_ring_nobody_falls_in() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        for client in table.clients:
            client.peer.open(100_000)
        table.offer(Batch([payload(1)]))
        assert not any(client.stands for client in table.clients)
        assert table.got() == table.expected


async def test_who_has_to_be_told_more_is_offered_it_alone() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        async with open_supervisor("root", table.volley.children()):
            table.clients[0].sink.recovered()
            assert not table.clients[0].sink.fall_in(table.ranks, Batch([b"{}"]), table.clients[0])
            assert not table.ranks


async def test_the_ring_is_given_back_while_they_stand() -> None:
    async with trio.open_nursery() as nursery:
        table = Table(nursery, ["1"] * MANY)
        for client in table.clients:
            client.peer.open(100_000)
        async with open_supervisor("root", table.volley.children()):
            table.offer(Batch([payload(1)]))
        table.offer(Batch([payload(2)]))
        assert not any(client.stands for client in table.clients)
        assert table.got() == table.expected


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(1, 3)),
        st.tuples(st.just("offer"), st.integers(1, 3)),
        st.tuples(st.just("large"), st.just(0)),
        st.tuples(st.just("open"), st.integers(1, 600)),
        st.tuples(st.just("open all"), st.integers(1, 3000)),
        st.tuples(st.just("kernel"), st.integers(1, 2 * MANY)),
        st.tuples(st.just("takes"), st.integers(0, MANY)),
        st.tuples(st.just("thread"), st.integers(0, 1)),
        st.tuples(st.just("settle"), st.just(0)),
        st.tuples(st.just("say"), st.integers(0, MANY - 1)),
        st.tuples(st.just("say together"), st.integers(0, MANY - 1)),
        st.tuples(st.just("leave"), st.integers(0, MANY - 1)),
        st.tuples(st.just("gone"), st.integers(0, MANY - 1)),
        st.tuples(st.just("wait"), st.just(0)),
    ),
    max_size=40,
)
IDS = st.lists(st.sampled_from(["1", "1", "2", "aa", "ab"]), min_size=MANY, max_size=MANY)


@given(IDS, st.integers(0, MANY), STEPS)
def test_everything_arrives_once_and_in_order(
    ids: list[str], compressing: int, steps: list[tuple[str, int]]
) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            table = Table(nursery, ids, compressing)
            async with open_supervisor("root", table.volley.children()):
                for serial, (what, number) in enumerate(steps):
                    await step(table, serial, what, number)
                for client in table.clients:
                    client.peer.open(1_000_000)
                table.volley.settle()
                for client in table.clients:
                    await client.wire.emptied()
                assert table.volley.statistics()["under_way"] == 0
            for client in table.clients:
                got = bytes(client.peer.got)
                assert (
                    client.expected.startswith(got)
                    if client.peer.gone
                    else (got == client.expected)
                ), got
                assert client.outbox.size == 0

    trio.run(run)


async def step(table: Table, serial: int, what: str, number: int) -> None:
    match what:
        case "offer":
            table.offer(Batch([payload(serial * 10 + each) for each in range(number)]))
        case "large":
            table.offer(Batch([payload(serial, LIMIT)]))
        case "open":
            table.clients[number % MANY].peer.open(number)
        case "open all":
            for client in table.clients:
                client.peer.open(number)
        case "kernel":
            table.kernel.go_on(number)
        case "takes":
            table.kernel.takes = number or 1000
        case "thread":
            table.kernel.thread = bool(number)
        case "settle":
            table.volley.settle()
        case "say":
            say(table.clients[number])
        case "say together":
            with table.volley.together():
                for client in table.clients[number:]:
                    say(client)
        case "leave":
            table.clients[number].sink.fall_out()
        case "gone":
            table.clients[number].peer.gone = True
            table.clients[number].peer.more.set()
        case _:
            await trio.testing.wait_all_tasks_blocked()


def say(client: Client) -> None:
    message = pong_frame({"x": 1})
    if not client.outbox.closed:
        client.outbox.write(message)
        client.expected += client.writer.frame(message)
