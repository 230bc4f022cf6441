"""Medians of rounds, and the faults that medians must not hide."""

from load.measure import FAULTS, Measured, delivery, middle
from load.scenarios import SCENARIOS
from load.server import Usage

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


def test_the_servers_name_and_steps_outlive_the_median() -> None:
    one = Measured(SCENARIOS[0], _NO_FAULTS, server="gqlgen", steps=((1.0, 2.0),))
    assert (middle([one]).server, middle([one]).steps) == ("gqlgen", ((1.0, 2.0),))


def test_a_run_comes_to_rates_and_milliseconds() -> None:
    times = {"p50": 1000.0, "p99": 2000.0, "p999": 3000.0, "max": 4000.0}
    ran = {
        "seconds": 2.0, "events": 10, "acked": 10, "deliveries": 1000, "cpu": 0.5,
        "delivery": times, "accepted": times, "round": times, "post": times,
    }  # fmt: skip
    start, end = Usage(rss=0, peak=0, tcp=0, cpu=1.0), Usage(rss=0, peak=0, tcp=0, cpu=2.0)
    figures = delivery(ran, start, end)
    assert figures["deliveries_per_second"] == 500
    assert (figures["accepted_p99"], figures["delivery_p999"]) == (2.0, 3.0)
    assert (figures["server_cpu"], figures["client_cpu"]) == (0.5, 0.25)
    assert figures["client_limit"] == 2000
