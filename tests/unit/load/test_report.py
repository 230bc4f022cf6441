"""The tables, and their place in the document."""

from collections import defaultdict

import pytest

from load.measure import Measured
from load.report import BEGIN, END, place, summary, tables
from load.scenarios import SCENARIOS


def _measured(key: str, **figures: float) -> Measured:
    scenario = next(one for one in SCENARIOS if one.key == key)
    return Measured(scenario, defaultdict(float, figures))


def test_a_table_for_each_kind_with_the_key_that_measures_the_row_again() -> None:
    text = tables([_measured("fan-out-1", deliveries=1500, delivery_p50=1.26, delivery_p99=123.4)])
    heading, _, names, line, row = text.splitlines()
    assert heading == "### Delivery"
    assert names.count("|") == line.count("|") == row.count("|")
    assert "| 1.3 | 123 | 1,500 | 0 | 0 |" in row
    assert row.endswith("| `fan-out-1` |")


def test_figures_that_a_scenario_does_not_have_are_a_dash() -> None:
    assert "| - |" in tables([_measured("paced-1000")])


def test_tables_come_in_one_order_whatever_was_measured_first() -> None:
    text = tables([_measured("ingest-1"), _measured("connections-1000")])
    assert text.index("### Connections") < text.index("### Ingest")


def test_the_summary_names_every_figure() -> None:
    text = summary(_measured("ingest-1", alerts_per_second=1234, server_cpu=0.5))
    assert "alerts/s 1,234" in text
    assert "server cores 0.50" in text


def test_a_block_replaces_what_was_between_the_markers_and_nothing_else() -> None:
    document = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = place(document, "new")
    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert place(once, "new") == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_document_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        place(text, "new")
