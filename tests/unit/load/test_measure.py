"""Medians of rounds, and the faults that medians must not hide."""

from load.measure import FAULTS, Measured, middle
from load.scenarios import SCENARIOS

_NO_FAULTS = dict.fromkeys(FAULTS, 0)


def _round(**figures: float) -> Measured:
    return Measured(SCENARIOS[0], {**_NO_FAULTS, **figures})


def test_the_middle_round_counts_and_faults_add_up() -> None:
    rounds = [_round(rss=30, lost=0), _round(rss=10, lost=3), _round(rss=20, lost=0)]
    result = middle(rounds)
    assert (result.figures["rss"], result.rounds) == (20, 3)
    assert result.faults == {"lost": 3}


def test_without_faults_there_is_nothing_to_say() -> None:
    assert middle([_round(rss=1)]).faults == {}
