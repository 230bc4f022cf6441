"""Curves: how they grow, how they are told and drawn."""

from pathlib import Path

import pytest

from load.charts import draw, gallery
from load.growth import CURVES, Curve
from load.report import growing

LINEAR = ((10, 5.0), (100, 70.0), (1_000, 500.0))
FLAT = ((10, 7.0), (1_000, 7.0))


def _curve(key: str = "growth-shapes") -> Curve:
    return Curve(key, "Shapes", "shapes", {"an event": LINEAR, "an idle one": FLAT})


def test_an_exponent_says_how_a_line_grows() -> None:
    assert _curve().exponent("an event") == pytest.approx(1.0)
    assert _curve().exponent("an idle one") == 0


def test_a_row_for_each_line() -> None:
    *_, row, idle = growing([_curve()]).splitlines()
    assert row == "| an event | 5 at 10 | 500 at 1,000 shapes | 1.00 | `growth-shapes` |"
    assert idle.startswith("| an idle one | 7 at 10 | 7 at 1,000 shapes | 0.00 |")
    assert growing([]) == ""


def test_a_chart_for_each_curve_with_its_command(tmp_path: Path) -> None:
    drawn = draw([], tmp_path, [_curve(key) for key in CURVES])
    assert [path.name for path in drawn] == [f"bench-{key}.png" for key in CURVES]
    assert drawn[0].read_bytes().startswith(b"\x89PNG")
    assert '`make bench ARGS="--only growth-journal --charts docs/images"`' in gallery(drawn)
