"""What other systems call the severities."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from incident_manager.actors.vocabulary import Severity

__all__ = ["DEFAULTS", "UNLABELLED", "severity_of", "severity_table"]

DEFAULTS: Final[Mapping[str, Severity]] = MappingProxyType(
    {
        **{severity.value.lower(): severity for severity in Severity},
        "page": Severity.P0,
        "emergency": Severity.P0,
        "disaster": Severity.P0,
        "critical": Severity.P1,
        "error": Severity.P2,
        "high": Severity.P2,
        "major": Severity.P2,
        "warning": Severity.P3,
        "medium": Severity.P3,
        "minor": Severity.P3,
        "info": Severity.P4,
        "low": Severity.P4,
        "none": Severity.P4,
    }
)
"""A sender's word, in lower case -> the severity. ``processing.severity_map`` adds to it."""

UNLABELLED: Final = Severity.P3
"""The severity of an alert that says none, or one that nobody knows."""


def severity_table(given: Mapping[str, str]) -> Mapping[str, Severity]:
    """The defaults, with what the setting ``processing.severity_map`` adds or changes."""
    return {**DEFAULTS, **{word: Severity(severity) for word, severity in given.items()}}


def severity_of(table: Mapping[str, Severity], word: str | None) -> Severity:
    """The severity that a sender means, in any case."""
    return table.get((word or "").strip().lower(), UNLABELLED)
