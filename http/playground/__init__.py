"""``/graphql/playground``: GraphiQL over our protocol, a page without data."""

from incident_manager.http.playground.page import PARTS, PATH, part, shell

__all__ = ["PARTS", "PATH", "part", "shell"]
