"""The pulse: who is asked, who is gone, and who is only slow."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.pulse import Pulse, Verdict, look
from incident_manager.supervision import open_supervisor


class Client:
    """A client of whom the test says what it does."""

    def __init__(self, *, heard: float = 0.0, slow: bool = False, answers: bool = True) -> None:
        self.heard = heard
        self.asked: float | None = None
        self.slow = slow
        self.answers = answers
        self.pings = 0
        self.gone = trio.Event()

    def ping(self) -> None:
        self.pings += 1
        if self.answers:
            self.heard = trio.current_time()

    def is_slow(self) -> bool:
        return self.slow

    def cut_off(self) -> None:
        self.gone.set()


def test_who_was_heard_of_lately_is_left_alone() -> None:
    assert look(Client(heard=10.0), 24.9, 15.0, 20.0) is Verdict.WAIT
    assert look(Client(heard=10.0), 25.0, 15.0, 20.0) is Verdict.PING


def test_an_answer_begins_the_time_anew() -> None:
    client = Client(heard=31.0)
    client.asked = 30.0
    assert look(client, 45.0, 15.0, 20.0) is Verdict.WAIT
    assert client.asked is None


def test_who_does_not_answer_in_time_is_gone() -> None:
    client = Client(heard=10.0)
    client.asked = 30.0
    assert look(client, 49.9, 15.0, 20.0) is Verdict.WAIT
    assert look(client, 50.0, 15.0, 20.0) is Verdict.GONE


def test_who_is_slow_has_its_time_anew() -> None:
    client = Client(heard=10.0, slow=True)
    client.asked = 30.0
    assert look(client, 50.0, 15.0, 20.0) is Verdict.WAIT
    client.slow = False
    assert look(client, 69.9, 15.0, 20.0) is Verdict.WAIT
    assert look(client, 70.0, 15.0, 20.0) is Verdict.GONE


@given(
    st.lists(st.tuples(st.floats(0.1, 5.0), st.booleans()), max_size=60),
    st.floats(1.0, 10.0),
    st.floats(1.0, 10.0),
)
def test_nobody_is_gone_before_interval_and_patience_are_over(
    steps: list[tuple[float, bool]], interval: float, patience: float
) -> None:
    client, now = Client(), 0.0
    for pause, speaks in steps:
        now += pause
        if speaks:
            client.heard = now
        verdict = look(client, now, interval, patience)
        if verdict is Verdict.PING:
            client.asked = now
        if verdict is Verdict.GONE:
            assert now - client.heard >= interval + patience
            return


async def test_the_actor_asks_and_cuts_off(autojump_clock: trio.testing.MockClock) -> None:
    pulse = Pulse(15.0, 20.0)
    there, away, slow = Client(), Client(answers=False), Client(answers=False, slow=True)
    async with open_supervisor("root", pulse.children()) as supervisor:
        for client in (there, away, slow):
            pulse.begin(client)
        began = trio.current_time()
        await away.gone.wait()
        # Two thirds of the interval at least, as each has one of its own, and the patience.
        assert 30.0 <= trio.current_time() - began <= 37.0
        assert (len(pulse), pulse.silent) == (2, 1)
        assert away.pings == 1
        slow.slow = False
        await slow.gone.wait()
        assert not there.gone.is_set()
        assert there.pings >= 2
        pulse.end(there)
        pulse.end(there)
        assert len(pulse) == 0
        assert pulse.statistics() == {"clients": 0, "pings": pulse.pings, "silent": 2}
        assert "pulse" in str(supervisor.tree.snapshot())


async def test_without_an_interval_nobody_is_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pulse = Pulse(0.0, 1.0)
    client = Client(answers=False)
    async with open_supervisor("root", pulse.children()):
        pulse.begin(client)
        await trio.testing.wait_all_tasks_blocked()
        assert len(pulse) == 0


async def test_others_have_a_turn_while_thousands_are_asked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pulse, turns, most = Pulse(15.0, 20.0), 0, 0
    clients = [Client() for _ in range(1_000)]
    for client in clients:
        pulse.begin(client)

    async def watch(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        nonlocal turns, most
        task_status.started()
        before = 0
        while pulse.pings < len(clients) - 1:
            await trio.lowlevel.checkpoint()
            turns, most, before = turns + 1, max(most, pulse.pings - before), pulse.pings
            if turns == 3:
                pulse.end(clients[-1])  # it leaves before its turn

    autojump_clock.jump(20)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch)
        await pulse.beat()
    assert [client.pings for client in clients] == [1] * 999 + [0]
    assert turns > 10
    assert most <= 64


async def test_those_that_came_together_are_asked_one_after_the_other(
    mock_clock: trio.testing.MockClock,
) -> None:
    pulse, blocks = Pulse(15.0, 20.0), 0

    @contextmanager
    def together() -> Iterator[None]:
        nonlocal blocks
        blocks += 1
        yield

    pulse.together = together
    clients = [Client() for _ in range(3_200)]  # fifty parts of a second, each of 20 ms
    began = trio.current_time()
    async with open_supervisor("root", pulse.children()):
        for client in clients:
            pulse.begin(client)
        asked = []
        while pulse.pings < len(clients):
            for _ in range(5):
                mock_clock.jump(0.02)
                await trio.testing.wait_all_tasks_blocked()
            asked.append(pulse.pings)
    assert trio.current_time() - began <= 15.0 + 1.1
    assert asked[99] == 0  # in ten seconds
    steps = [after - before for before, after in pairwise(asked)]
    assert max(steps) < 3 * len(clients) / 50  # in fifty tenths, about
    assert blocks > 100
