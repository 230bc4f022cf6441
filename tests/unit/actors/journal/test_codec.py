import msgspec
import pytest
from attrs import evolve

from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.codec import decode_incident, decode_record, encode
from incident_manager.actors.model import Resolution
from incident_manager.actors.vocabulary import IncidentState, Kind, ResolutionMethod
from unit.actors.builders import change, make_alert, make_comment, make_incident, make_record


def test_every_part_of_a_record_comes_back() -> None:
    incident = make_incident(
        1,
        state=IncidentState.RESOLVED,
        resolution=Resolution(7, "rae", ResolutionMethod.MANUAL, "rolled back", "bad deploy"),
        labels={"tenant": "acme"},
        assignees=("rae",),
    )
    record = evolve(
        change(2, incident, Kind.COMMENT, title="Worse"),
        alert=make_alert(1, incident, source_key="k"),
        comment=make_comment(1),
        related_id="other",
    )
    assert decode_record(2, encode(record)) == record
    assert decode_incident(incident.id, encode(incident)) == incident


def test_what_an_older_version_wrote_takes_defaults() -> None:
    body = msgspec.json.decode(encode(make_record(1)))
    del body["trace"], body["incident"]["scope"]
    body["incident"]["no_more"] = {"a": 1}
    assert decode_record(1, msgspec.json.encode(body).decode()) == make_record(1)


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", "nonsense"])
def test_damage_is_said(body: str) -> None:
    with pytest.raises(JournalError, match="event 7 cannot be read: "):
        decode_record(7, body)
    with pytest.raises(JournalError, match="incident i cannot be read: "):
        decode_incident("i", body)


def test_a_word_nobody_knows_is_damage() -> None:
    body = encode(make_record(1)).replace('"create"', '"undo"')
    with pytest.raises(JournalError, match=r"event 1 cannot be read: .*undo"):
        decode_record(1, body)


def test_half_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode(make_incident(1, title="\ud800"))
