from graphql import GraphQLObjectType

from incident_manager.actors.model import Ack, Incident, Resolution
from incident_manager.actors.vocabulary import AckStatus, ResolutionMethod
from incident_manager.http.rest.problems import snake
from incident_manager.http.rest.views import ack_view, incident_view
from incident_manager.schema.build import schema
from incident_manager.schema.resolvers.types import RELATIONS
from unit.actors.builders import START, make_incident

SOLVED = make_incident(
    assignees=("ann", "bob"),
    acknowledged_at=START,
    resolved_at=START,
    closed_at=START,
    resolution=Resolution(START, "ann", ResolutionMethod.MANUAL, "done"),
)


def fields(name: str) -> list[str]:
    """The fields of a GraphQL type in REST's spelling, but those that have a path of their own."""
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return [snake(each) for each in kind.fields if (name, each) not in RELATIONS]


def test_an_incident_has_the_fields_of_graphql() -> None:
    view = incident_view(SOLVED)
    assert list(view) == fields("Incident")
    resolution = view["resolution"]
    assert isinstance(resolution, dict)
    assert sorted(resolution) == sorted(fields("Resolution"))


def test_an_ack_has_the_fields_of_graphql() -> None:
    ack = Ack("a", None, AckStatus.ACCEPTED, "Taken.", START)
    assert list(ack_view(ack)) == fields("AlertAck")


def test_times_are_written_with_their_microseconds() -> None:
    assert incident_view(SOLVED)["created_at"] == "2023-11-14T22:13:21.000000Z"


def test_the_first_assignee_is_the_one_assigned() -> None:
    assert incident_view(SOLVED)["assigned_to"] == "ann"
    nobody: Incident = make_incident()
    assert incident_view(nobody)["assigned_to"] is None
