"""Prometheus and Alertmanager alerts as commands: the webhook (version 4), and ``/api/v2/alerts``.

Sources: Prometheus, "Alerting: configuration", ``<webhook_config>``; Alertmanager's
``api/v2/openapi.yaml`` (``postableAlerts``).

The title is ``alertname``, never the summary: the summary often holds a value that changes, and
would make a new incident each time. The fingerprint of the labels is the alert's key, computed
as Alertmanager does it where the sender gives none, so that an alert that comes both ways is one.
What is too long is cut, not refused: the sender cannot change it, and would lose the alert.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from graphql import GraphQLError

from incident_manager.actors.classify import source_key
from incident_manager.actors.commands import SubmitAlert
from incident_manager.actors.errors import Refused
from incident_manager.actors.model import Micros
from incident_manager.actors.vocabulary import AlertType, IncidentType, Severity
from incident_manager.http.ingest.severities import severity_of
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.schema.scalars import parse_datetime

__all__ = ["label_fingerprint", "posted_alert", "posted_alerts", "webhook_alert", "webhook_alerts"]

_PAIRS: Final = 64
_KEY, _LABEL, _ANNOTATION = 128, 1_024, 8_192
_TITLE, _DESCRIPTION, _URL, _NAME = 500, 16_384, 2_048, 255
_HASHED: Final = 64 * 1024  # characters of labels that are worth Alertmanager's own fingerprint

_SHOWN_FIRST: Final = ("alertname", "severity", "service")
_GENERATOR: Final = "generator_url"


def webhook_alerts(given: object) -> Sequence[object]:
    """The alerts that a webhook message of version 4 holds, unread.

    Raises :class:`Refused` with BAD_USER_INPUT for what is no such message.
    """
    if not isinstance(given, Mapping):
        raise _bad("", "the message must be an object")
    version = given.get("version")
    if version not in (None, "4"):
        raise _bad("version", 'version must be "4"')
    return _list(given.get("alerts"), "alerts")


def posted_alerts(given: object) -> Sequence[object]:
    """The alerts of a ``POST /api/v2/alerts``, unread; raises as :func:`webhook_alerts`."""
    return _list(given, "")


def webhook_alert(given: object, severities: Mapping[str, Severity]) -> SubmitAlert:
    """One alert of a webhook message, which says itself whether it fires.

    Raises :class:`Refused` with BAD_USER_INPUT naming what is wrong.
    """
    alert = _object(given)
    status = alert.get("status")
    if status not in ("firing", "resolved"):
        raise _bad("status", "status must be firing or resolved")
    return _command("alertmanager", alert, severities, resolved=status == "resolved")


def posted_alert(given: object, severities: Mapping[str, Severity], now: Micros) -> SubmitAlert:
    """One alert of a ``POST /api/v2/alerts``: it is resolved once its ``endsAt`` has passed.

    Raises :class:`Refused` with BAD_USER_INPUT naming what is wrong.
    """
    alert = _object(given)
    ends = _moment(alert, "endsAt")
    return _command("prometheus", alert, severities, resolved=ends is not None and ends <= now)


def label_fingerprint(labels: Mapping[str, str]) -> str:
    """The fingerprint that Prometheus's common library gives a label set: 64 bits of FNV-1a.

    Source: ``model.LabelSet.Fingerprint`` of github.com/prometheus/common.
    """
    value = 14695981039346656037
    for name in sorted(labels, key=str.encode):
        for part in (name, labels[name]):
            for byte in (*part.encode(), 255):
                value = ((value ^ byte) * 1099511628211) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def _bad(field: str, message: str) -> Refused:
    # The sender's own spelling (endsAt) is kept.
    return InvalidFields([FieldError(field, message)])


def _list(given: object, name: str) -> Sequence[object]:
    if not isinstance(given, list):
        raise _bad(name, f"{name or 'the body'} must be a list of alerts")
    return given


def _object(given: object) -> Mapping[str, object]:
    if not isinstance(given, Mapping):
        raise _bad("", "an alert must be an object")
    return given


def _command(
    source: str, given: Mapping[str, object], severities: Mapping[str, Severity], *, resolved: bool
) -> SubmitAlert:
    labels = _pairs(given, "labels")
    title = labels.get("alertname", "").strip()
    if not title:
        raise _bad("labels", "labels must have an alertname")
    annotations = _pairs(given, "annotations")
    key = _key(given.get("fingerprint"), labels)
    url = (annotations.get("runbook_url") or annotations.get("runbook") or "").strip()
    service = labels.get("service", "").strip()
    generator = _text(given.get("generatorURL"))
    more = {_GENERATOR: generator} if generator else {}
    return SubmitAlert(
        source=source,
        title=_cut(title, _TITLE),
        description=_description(annotations),
        severity=severity_of(severities, labels.get("severity")),
        alert_type=AlertType.METRIC,
        incident_type=_incident_type(labels.get("incident_type", "")),
        external_id=key,
        labels=dict(_fitting(labels, _LABEL)),
        affected_services=(_cut(service, _NAME),) if service else (),
        annotations=dict(_fitting({**more, **annotations}, _ANNOTATION)),
        runbook_url=_cut(url, _URL) if url else None,
        timestamp=_moment(given, "startsAt"),
        # One namespace for both ways in: an alert keeps its key whichever way it comes.
        source_key=source_key("prometheus", key),
        resolved=resolved,
    )


def _pairs(given: Mapping[str, object], name: str) -> Mapping[str, str]:
    """A map of strings. An empty value is no value (Prometheus, "Data model")."""
    pairs = given.get(name)
    if pairs is None:
        return {}
    if not isinstance(pairs, Mapping):
        raise _bad(name, f"{name} must be an object whose values are strings")
    found: dict[str, str] = {}
    for key, value in pairs.items():
        if not isinstance(value, str):
            raise _bad(name, f"{name}.{key[:_KEY]} must be a string")
        if (key := _text(key)) and (value := value.replace("\0", "")):
            found[key] = value
    return found


def _text(given: object) -> str:
    """A string as the journal can hold it, bare; empty where there is none."""
    return given.replace("\0", "").strip() if isinstance(given, str) else ""


def _key(given: object, labels: Mapping[str, str]) -> str:
    if key := _text(given):
        # Two keys that begin alike must not become one.
        return key if len(key) <= _NAME else _digest([key])
    if sum(map(len, labels)) + sum(map(len, labels.values())) > _HASHED:
        return _digest([part for pair in sorted(labels.items()) for part in pair])
    return label_fingerprint(labels)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _moment(given: Mapping[str, object], name: str) -> Micros | None:
    """A time, or None where there is none. Go's zero time, in the year 1, stands for none."""
    text = given.get(name)
    if text is None or text == "" or (isinstance(text, str) and text.startswith("0001-")):
        return None
    try:
        return parse_datetime(text)
    except GraphQLError as error:
        what = error.message.removeprefix("DateTime ").removesuffix(".")
        raise _bad(name, f"{name} {what}") from None


def _description(annotations: Mapping[str, str]) -> str:
    parts = (annotations.get(name) for name in ("summary", "description", "message"))
    return _cut("\n\n".join(dict.fromkeys(part for part in parts if part)), _DESCRIPTION)


def _incident_type(word: str) -> IncidentType:
    return IncidentType.__members__.get(word.strip().upper(), IncidentType.UNKNOWN)


def _fitting(pairs: Mapping[str, str], most: int) -> Iterator[tuple[str, str]]:
    # Those that people filter by come first, should there be too many.
    first = [name for name in _SHOWN_FIRST if name in pairs]
    for name in list(dict.fromkeys((*first, *sorted(pairs))))[:_PAIRS]:
        yield _cut(name, _KEY), _cut(pairs[name], most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
