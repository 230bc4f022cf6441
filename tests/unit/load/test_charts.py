"""A chart for each kind of figure that was measured, and none without figures."""

from collections import defaultdict
from pathlib import Path

from load.charts import draw, gallery
from load.measure import Measured
from load.rivals import OURS
from load.scenarios import SCENARIOS


def _measured(key: str, server: str = OURS, **figures: float) -> Measured:
    scenario = next(one for one in SCENARIOS if one.key == key)
    steps = ((20_000.0, 4.0), (30_000.0, float("inf"))) if scenario.ramp else ()
    return Measured(scenario, defaultdict(float, figures), server=server, steps=steps)


def test_only_what_was_measured_is_drawn(tmp_path: Path) -> None:
    results = [
        _measured("ingest-1", alerts_per_second=500),
        _measured("ingest-1", "gqlgen", alerts_per_second=50_000),
    ]
    assert draw(results, tmp_path / "new") == [tmp_path / "new" / "bench-ingest.png"]
    assert (tmp_path / "new" / "bench-ingest.png").read_bytes().startswith(b"\x89PNG")


def test_all_charts_of_a_full_run(tmp_path: Path) -> None:
    keys = ("connections-1000", "fan-out-1", "fan-out-100", "steady-20000", "ingest-100")
    results = [
        _measured(
            key,
            server,
            deliveries_per_second=9,
            accepted_p99=3,
            rss_each=2048,
            connects_per_second=7,
            alerts_per_second=5,
        )
        for key in keys
        for server in (OURS, "gqlgen")
    ]
    names = {path.stem for path in draw(results, tmp_path)}
    assert names == {
        "bench-fan-out", "bench-latency", "bench-ramp", "bench-memory", "bench-connect",
        "bench-ingest",
    }  # fmt: skip


def test_the_same_figures_are_the_same_file(tmp_path: Path) -> None:
    results = [_measured("fan-out-1", deliveries_per_second=1000)]
    (first,), (second,) = draw(results, tmp_path / "a"), draw(results, tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_each_chart_is_shown_with_the_command_that_draws_it_again() -> None:
    text = gallery([Path("anywhere/bench-ramp.png")])
    assert "](images/bench-ramp.png)" in text
    assert '`make bench ARGS="--only steady-20000 --charts docs/images"`' in text
    assert gallery([]) == ""
