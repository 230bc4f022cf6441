"""The executable schema, built once."""

from importlib.resources import files
from typing import Final

from ariadne import EnumType, make_executable_schema
from graphql import GraphQLSchema, print_schema

from incident_manager.actors import vocabulary
from incident_manager.actors.journal.reads import SortField
from incident_manager.actors.roles import Role
from incident_manager.schema.resolvers import BINDINGS
from incident_manager.schema.scalars import SCALARS
from incident_manager.schema.services import HealthState

__all__ = ["schema", "sdl"]

_ENUMS: Final = [
    EnumType("Severity", vocabulary.Severity),
    EnumType("IncidentState", vocabulary.IncidentState),
    EnumType("IncidentType", vocabulary.IncidentType),
    EnumType("AlertType", vocabulary.AlertType),
    EnumType("AlertStatus", vocabulary.AlertStatus),
    EnumType("AckStatus", vocabulary.AckStatus),
    EnumType("IncidentUpdateType", vocabulary.UpdateType),
    EnumType("ResolutionMethod", vocabulary.ResolutionMethod),
    EnumType("TimelineEventType", vocabulary.TimelineEventType),
    EnumType("IncidentSortField", SortField),
    EnumType("Role", Role),
    EnumType("HealthState", HealthState),
]


def _build() -> GraphQLSchema:
    text = files("incident_manager.schema").joinpath("incident_manager.graphql").read_text("utf-8")
    return make_executable_schema(text, *SCALARS, *_ENUMS, *BINDINGS, convert_names_case=True)


schema: Final[GraphQLSchema] = _build()
"""Names are camelCase for clients and snake_case for resolvers and models."""


def sdl() -> str:
    """The schema in the schema definition language, with its descriptions."""
    return print_schema(schema)
