"""The table of what abuses cost."""

from load.abuse import Figures, Row, table

MIB = 2**20


def test_a_row_for_each_and_how_it_was_measured() -> None:
    flood = Row("flood", 4, 100, ("ENHANCE_YOUR_CALM",), 80 * MIB, 81 * MIB, "1.0 / 2.0", "3 / 4")
    one = Row("one", 3, None, ("A", "the connection ends"), 80 * MIB, 80 * MIB, "1 / 2", "1 / 2")
    text = table(Figures([flood, one], 2.0, pinned=True, neighbours=0.26))
    assert "| flood | 4 | 100 | ENHANCE_YOUR_CALM | 80 → 81 | 1.0 / 2.0 | 3 / 4 |" in text
    assert "| one | 3 | a few | A, the connection ends | 80 → 80 | 1 / 2 | 1 / 2 |" in text
    assert "2 seconds each" in text
    assert "the attacker and the other client share another" in text
    assert "0.3 cores busy" in text
    assert "share the cores" in table(Figures([], 2.0, pinned=False, neighbours=0.0))
