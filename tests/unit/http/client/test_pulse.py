from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client.pulse import Act, Pulse, Step


def test_silence_is_asked_about_and_no_answer_is_death() -> None:
    pulse = Pulse(15, 10, 0)
    assert pulse.step(0) == Step(Act.WAIT, 15)
    pulse.heard(5)
    assert pulse.step(15) == Step(Act.WAIT, 20)
    assert pulse.step(20) == Step(Act.PING, 30)
    assert pulse.step(25) == Step(Act.WAIT, 30)
    assert pulse.step(30).act is Act.DEAD


def test_any_sign_of_life_is_an_answer() -> None:
    pulse = Pulse(15, 10, 0)
    assert pulse.step(15).act is Act.PING
    pulse.heard(24)
    assert pulse.step(25) == Step(Act.WAIT, 39)


def test_silence_says_nothing_while_nobody_reads() -> None:
    pulse = Pulse(15, 10, 0)
    assert pulse.step(15).act is Act.PING
    pulse.pause()
    assert pulse.step(1000) == Step(Act.WAIT, 1015)
    pulse.resume(2000)
    assert pulse.step(2000) == Step(Act.WAIT, 2015)


@given(st.lists(st.tuples(st.sampled_from(["heard", "step"]), st.floats(0.1, 30))))
def test_who_speaks_within_the_timeout_never_dies(moves: list[tuple[str, float]]) -> None:
    now, heard = 0.0, 0.0
    pulse = Pulse(15, 10, now)
    for move, pause in moves:
        now += pause
        if move == "heard":
            pulse.heard(now)
            heard = now
            continue
        step = pulse.step(now)
        assert step.again > now or step.act is Act.DEAD
        if step.act is Act.DEAD:
            assert now - heard >= 15 + 10
            return
