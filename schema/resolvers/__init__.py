"""How each field gets its value."""

from incident_manager.schema.resolvers.mutation import mutation
from incident_manager.schema.resolvers.query import query
from incident_manager.schema.resolvers.types import OBJECTS, subscription

__all__ = ["BINDINGS"]

BINDINGS = [query, mutation, subscription, *OBJECTS]
"""The bindings of the object types to the schema."""
