"""Random events and filters whose values meet often."""

from hypothesis import strategies as st

from incident_manager.actors.model import Before, Record
from incident_manager.actors.selectors import selectors_of
from incident_manager.actors.streams import StreamField, StreamFilter
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, IncidentType, Severity
from unit.actors.builders import make_alert, make_incident, make_record

IDS = tuple(make_incident(number).id for number in range(1, 4))
SOURCES = ("prometheus", "grafana", "desk")
PEOPLE = ("kim", "rae", "lou")
TYPES = (IncidentType.UNKNOWN, IncidentType.CAPACITY)
LABELS = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2)
SEVERITIES = st.sampled_from(Severity)
STATES = st.sampled_from(IncidentState)
ASSIGNEES = st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True).map(tuple)
STREAMS = st.sampled_from(StreamField)


@st.composite
def records(draw: st.DrawFn, offset: int = 1) -> Record:
    """Any event; its parts need not be ones that a command would make."""
    number = draw(st.integers(1, 3))
    incident = make_incident(
        number,
        severity=draw(SEVERITIES),
        state=draw(STATES),
        source=draw(st.sampled_from(SOURCES)),
        incident_type=draw(st.sampled_from(TYPES)),
        labels=draw(LABELS),
        assignees=draw(ASSIGNEES),
    )
    before = draw(st.none() | st.builds(Before, STATES, SEVERITIES, ASSIGNEES))
    alert = None
    alone = draw(st.integers(0, 9)) == 0
    if alone or draw(st.booleans()):
        alert = make_alert(
            number,
            None if alone else incident,
            severity=draw(SEVERITIES),
            source=draw(st.sampled_from(SOURCES)),
            incident_type=draw(st.sampled_from(TYPES)),
            labels=draw(LABELS),
            status=draw(st.sampled_from(AlertStatus)),
        )
    record = make_record(offset, incident, before=None if alone else before, alert=alert)
    if not alone:
        return record
    return Record(
        offset, record.time, record.actor, record.principal, record.kind, None, alert=alert
    )


def _some(values: st.SearchStrategy[object]) -> st.SearchStrategy[frozenset[object] | None]:
    return st.none() | st.frozensets(values, max_size=3)


@st.composite
def filters(draw: st.DrawFn) -> StreamFilter:
    """Mostly few conditions: with many, nothing would match."""
    conditions = draw(st.sets(st.sampled_from(range(9)), max_size=3))

    def maybe(number: int, values: st.SearchStrategy[object], otherwise: object = None) -> object:
        return draw(values) if number in conditions else otherwise

    return StreamFilter(
        incident_ids=maybe(0, _some(st.sampled_from(IDS))),  # type: ignore[arg-type]
        severities=maybe(1, _some(SEVERITIES)),  # type: ignore[arg-type]
        states=maybe(2, _some(STATES)),  # type: ignore[arg-type]
        sources=maybe(3, _some(st.sampled_from(SOURCES))),  # type: ignore[arg-type]
        types=maybe(4, _some(st.sampled_from(TYPES))),  # type: ignore[arg-type]
        labels=maybe(5, LABELS, {}),  # type: ignore[arg-type]
        assigned_to=maybe(6, st.none() | st.sampled_from(PEOPLE)),  # type: ignore[arg-type]
        active_only=maybe(7, st.booleans(), otherwise=False),  # type: ignore[arg-type]
        selectors=maybe(8, LABELS.map(selectors_of), ()),  # type: ignore[arg-type]
    )
