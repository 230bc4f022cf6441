"""Selectors: the labels that confine a principal, and what of everything is its own.

One rule for every interface (contract, section 8): whoever is confined has to do only with what
bears all its labels. What else there is looks to it as if it were not there.
"""

from collections.abc import Mapping

from attrs import evolve

from incident_manager.actors.model import Alert, Record
from incident_manager.actors.vocabulary import AlertStatus

__all__ = ["Selectors", "alone", "bears", "owns", "seen", "selectors_of"]

Selectors = tuple[tuple[str, str], ...]
"""Pairs of label and value, sorted; none: not confined."""


def selectors_of(labels: Mapping[str, str]) -> Selectors:
    """The selectors that these labels are."""
    return tuple(sorted(labels.items()))


def bears(labels: Mapping[str, str], asked: Mapping[str, str] | None) -> bool:
    """Every pair that is asked for is among the labels."""
    return not asked or all(labels.get(key) == value for key, value in asked.items())


def owns(selectors: Selectors, labels: Mapping[str, str]) -> bool:
    """Whether what bears these labels belongs to who has these selectors."""
    return all(labels.get(key) == value for key, value in selectors)


def alone(alert: Alert) -> Alert:
    """An alert as it looks to somebody whose its incident is not: as one that has none."""
    if alert.incident_id is None:
        return alert
    return evolve(alert, incident_id=None, status=AlertStatus.IGNORED)


def seen(record: Record, selectors: Selectors) -> Record | None:
    """An event as it looks to who has these selectors; None if it is nothing of theirs.

    An incident counts as the event has left it: one that the event takes away is not shown once
    more, and one that it brings is shown with this event first. The other half of an event is
    left out where only its incident, or only its alert, is theirs.
    """
    if not selectors:
        return record
    incident, alert = record.incident, record.alert
    own = alert is not None and owns(selectors, alert.labels)
    if incident is not None and owns(selectors, incident.labels):
        return record if own or alert is None else evolve(record, alert=None)
    if alert is None or not own:
        return None
    if incident is None:
        return record
    return evolve(
        record,
        incident=None,
        before=None,
        alert=alone(alert),
        comment=None,
        related_id=None,
        reason=None,
        changed=(),
    )
