"""What the other client has noted is read, also while it writes."""

from pathlib import Path

from load.asker import Asked, read_asked, summary


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    file = tmp_path / "asked"
    file.write_text("1.0 0.25\n2.5 0.5\n3.0 0.")
    assert read_asked(file) == [Asked(1.0, 0.25), Asked(2.5, 0.5)]
    file.write_text("")
    assert read_asked(file) == []


def test_only_what_began_in_the_time_counts() -> None:
    asked = [Asked(float(second), 0.001 * second) for second in range(1, 101)]
    assert summary(asked, 1.0, 100.0) == "50.5 / 99.0"
    assert summary(asked, 10.0, 12.0) == "11.0 / 12.0"
    assert summary(asked, 10.0, 10.5) == "1 answers"
    assert summary(asked, 0.0, 0.5) == "0 answers"
