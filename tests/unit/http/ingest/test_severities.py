import pytest

from incident_manager.actors.vocabulary import Severity
from incident_manager.http.ingest.severities import (
    DEFAULTS,
    UNLABELLED,
    severity_of,
    severity_table,
)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("page", Severity.P0),
        ("critical", Severity.P1),
        ("Error", Severity.P2),
        ("WARNING", Severity.P3),
        (" info ", Severity.P4),
        ("none", Severity.P4),
        ("p0", Severity.P0),
        ("P4", Severity.P4),
        ("", UNLABELLED),
        (None, UNLABELLED),
        ("catastrophic", UNLABELLED),
    ],
)
def test_the_defaults(word: str | None, severity: Severity) -> None:
    assert severity_of(DEFAULTS, word) is severity


def test_words_are_in_lower_case() -> None:
    assert all(word == word.lower().strip() for word in DEFAULTS)


def test_the_setting_adds_and_changes() -> None:
    table = severity_table({"catastrophic": "P0", "critical": "P0"})
    assert severity_of(table, "Catastrophic") is Severity.P0
    assert severity_of(table, "critical") is Severity.P0
    assert severity_of(table, "warning") is Severity.P3
    assert severity_table({}) == DEFAULTS
