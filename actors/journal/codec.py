"""Bodies of the journal's rows: JSON of the values, and back.

A body written by an older version decodes: fields it lacks take their defaults, and fields that
are no more are passed over. What does not decode otherwise is damage, and says so.
"""

from typing import TypeVar

import msgspec

from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.model import Alert, Comment, Incident, Record
from incident_manager.actors.timeline import TimelineEntry

__all__ = [
    "decode_alert",
    "decode_comment",
    "decode_incident",
    "decode_record",
    "decode_timeline",
    "encode",
]

_T = TypeVar("_T")

_ENCODER = msgspec.json.Encoder()
_INCIDENT = msgspec.json.Decoder(Incident)
_RECORD = msgspec.json.Decoder(Record)
_ALERT = msgspec.json.Decoder(Alert)
_COMMENT = msgspec.json.Decoder(Comment)
_TIMELINE = msgspec.json.Decoder(TimelineEntry)


def encode(value: object) -> str:
    """The JSON text of a value of the model.

    Raises ValueError for text that UTF-8 cannot hold (half of a surrogate pair).
    """
    return _ENCODER.encode(value).decode()


def decode_record(offset: int, body: str) -> Record:
    """The event at ``offset``; raises :class:`JournalError` if the body is not one."""
    return _decode(_RECORD, f"event {offset}", body)


def decode_incident(incident_id: str, body: str) -> Incident:
    """The incident of that id; raises :class:`JournalError` if the body is not one."""
    return _decode(_INCIDENT, f"incident {incident_id}", body)


def decode_alert(alert_id: str, body: str) -> Alert:
    """The alert of that id; raises :class:`JournalError` if the body is not one."""
    return _decode(_ALERT, f"alert {alert_id}", body)


def decode_comment(comment_id: str, body: str) -> Comment:
    """The comment of that id; raises :class:`JournalError` if the body is not one."""
    return _decode(_COMMENT, f"comment {comment_id}", body)


def decode_timeline(offset: int, body: str) -> TimelineEntry:
    """A line that came of event ``offset``; raises :class:`JournalError` if it is none."""
    return _decode(_TIMELINE, f"a timeline entry of event {offset}", body)


def _decode(decoder: "msgspec.json.Decoder[_T]", what: str, body: str) -> _T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise JournalError(f"{what} cannot be read: {error}") from error
