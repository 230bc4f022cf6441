import msgspec
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.answers import ANSWER_LIFETIME, decode, encode
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Ack, Resolution
from incident_manager.actors.vocabulary import AckStatus, IncidentState, ResolutionMethod
from unit.actors.builders import START, make_incident

TEXT = st.text()
ACKS = st.builds(
    Ack, TEXT, st.none() | TEXT, st.sampled_from(AckStatus), TEXT, st.integers(0, 2**53)
)
INCIDENTS = st.builds(
    make_incident,
    st.integers(1, 9),
    title=TEXT,
    state=st.sampled_from(IncidentState),
    labels=st.dictionaries(TEXT, TEXT, max_size=3),
    assignees=st.lists(TEXT, max_size=3).map(tuple),
    resolution=st.none()
    | st.builds(Resolution, st.just(START), TEXT, st.sampled_from(ResolutionMethod), TEXT),
    version=st.integers(1, 99),
)
REFUSALS = st.builds(Refused, st.sampled_from(ErrorCode), TEXT, st.none() | TEXT)


def plain(result: object) -> object:
    if isinstance(result, Refused):
        return result.code, result.message, result.field
    return result


@given(st.lists(ACKS | INCIDENTS | REFUSALS, max_size=5))
def test_what_is_kept_is_the_answer_again(results: list[Ack | Refused]) -> None:
    found = decode(encode(tuple(results)))
    assert [plain(result) for result in found] == [plain(result) for result in results]


def test_an_answer_kept_without_what_came_later_is_read() -> None:
    incident = msgspec.to_builtins(make_incident())
    del incident["scope"], incident["alert_count"]
    body = msgspec.json.encode([{"incident": incident}])
    assert decode(body) == (make_incident(),)


def test_answers_live_a_day() -> None:
    assert ANSWER_LIFETIME == 86_400_000_000
