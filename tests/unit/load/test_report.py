"""The tables, and their place in the document."""

from collections import defaultdict

import pytest

from load.measure import Measured
from load.report import BEGIN, END, beside, place, summary, tables
from load.rivals import LIMIT, OURS
from load.scenarios import SCENARIOS


def _measured(key: str, server: str = OURS, **figures: float) -> Measured:
    scenario = next(one for one in SCENARIOS if one.key == key)
    return Measured(scenario, defaultdict(float, figures), server=server)


def test_a_table_for_each_kind_with_the_key_that_measures_the_row_again() -> None:
    text = tables([_measured("fan-out-1", deliveries=1500, accepted_p50=1.26, delivery_p99=123.4)])
    heading, _, names, line, row = text.splitlines()
    assert heading == "### Delivery"
    assert names.count("|") == line.count("|") == row.count("|")
    assert "| 1.3 | 0.0 | 0.0 | 123 | - | 1,500 | 0 | 0 |" in row
    assert row.endswith("| `fan-out-1` |")


def test_figures_that_a_scenario_does_not_have_are_a_dash() -> None:
    assert "| - |" in tables([_measured("steady-2000")])


def test_servers_stand_below_each_other_and_the_scenario_is_named_once() -> None:
    text = tables([_measured("ingest-1"), _measured("ingest-1", "gqlgen"), _measured("ingest-100")])
    starts = [line.split(" | ")[:2] for line in text.splitlines()[4:]]
    assert starts == [
        ["| single POSTs, 8 senders, nobody subscribed", "Incident Manager"],
        ["| ", "gqlgen"],
        ["| batches of 100, 8 senders, nobody subscribed", "Incident Manager"],
    ]


def test_a_scenario_stands_in_each_of_its_tables() -> None:
    text = tables([_measured("steady-20000")])
    assert [line for line in text.splitlines() if line[:3] == "###"] == [
        "### Connections",
        "### Delivery",
    ]


def test_side_by_side_has_a_column_for_each_server() -> None:
    text = beside(
        [
            _measured("fan-out-1", deliveries_per_second=9000),
            _measured("fan-out-1", "gqlgen", deliveries_per_second=3000, lost=2),
            _measured("ingest-1", "gqlgen", alerts_per_second=70),
        ]
    )
    head, _, first, second, *_ = text.splitlines()[2:]
    assert head == "|  | Incident Manager | gqlgen |"
    assert first.endswith("| 9,000 | (3,000) |")
    assert second.endswith("| - | 70 |")


def test_without_peers_there_is_nothing_beside_ours() -> None:
    assert beside([]) == beside([_measured("fan-out-1")]) == ""


def test_the_load_clients_ceiling_is_that_of_the_write_loop() -> None:
    limit = _measured(
        "fan-out-1", LIMIT, deliveries_per_second=100_000, client_cpu=0.5, client_limit=200_000
    )
    last = beside([_measured("fan-out-1"), limit]).splitlines()[-1]
    assert "100,000 deliveries/s" in last
    assert "0.50 of a core" in last
    assert last.endswith("200,000.")


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
