"""How long a client is waited for."""

import math

from incident_manager.http.h2_waiting import Waiting


def test_a_closed_window_has_its_time_once() -> None:
    waiting = Waiting(10.0)
    assert waiting.earliest == math.inf
    waiting.block(1, 0.0)
    waiting.block(1, 5.0)
    waiting.block(3, 6.0)
    assert waiting.earliest == 10.0
    assert waiting.due(9.9) == ([], [])
    assert waiting.due(10.0) == ([1], [])
    assert len(waiting) == 1
    waiting.unblock(3)
    assert len(waiting) == 0


def test_single_bytes_win_no_time() -> None:
    waiting = Waiting(10.0)
    waiting.moved(1, 5000, rest=1)
    waiting.block(1, 0.0)
    for _ in range(1023):
        waiting.moved(1, 1, rest=9000)
    assert waiting.earliest == 10.0
    waiting.moved(1, 1, rest=9000)
    assert waiting.earliest == math.inf
    waiting.block(1, 20.0)
    waiting.moved(1, 1, rest=0)  # all of it
    assert waiting.earliest == math.inf


def test_who_has_the_answer_may_go_on_for_a_while() -> None:
    waiting = Waiting(10.0)
    waiting.linger(1, 5.0)
    waiting.linger(3, 6.0)
    waiting.ended(3)
    waiting.ended(7)
    assert waiting.earliest == 5.0
    assert waiting.due(6.0) == ([], [1])
    assert waiting.due(6.0) == ([], [])
