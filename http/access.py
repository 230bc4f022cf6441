"""Who may see and do what, on every door: one table, made of what the doors themselves go by."""

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.roles import Role
from incident_manager.http.web import ROUTES
from incident_manager.schema.build import schema
from incident_manager.schema.operation import access_to

__all__ = ["DOORS", "Rule", "rules", "table"]

DOORS: Final = ("/graphql/ws", "/graphql")
"""The paths of the WebSocket. What an operation needs beyond that is the schema's to say."""

_SPELT: Final = str.maketrans("<>", "{}")


@frozen
class Rule:
    """One thing to ask for: ``kind`` is GraphQL's root type, or the method, or ``WS``."""

    kind: str
    name: str
    access: Access


def rules() -> Iterator[Rule]:
    """Every root field, every path of the WebSocket, and every route."""
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None  # noqa: S101 -- the schema has all three
        yield from (Rule(root.name, name, access_to(root.name, name)) for name in root.fields)
    yield from (Rule("WS", path, Access(Role.VIEWER)) for path in DOORS)
    yield from (Rule(each.method, each.path.translate(_SPELT), each.access) for each in ROUTES)


_SAYS: Final = {
    Scope.OWN: "what is its own",
    Scope.SAME: "the same as everybody",
    Scope.NONE: "FORBIDDEN",
}


def table() -> str:
    """The table in Markdown."""
    lines = ["| What | Least role | Who is confined gets |", "|---|---|---|"]
    for each in rules():
        what = f"{each.kind.lower()} {{ {each.name} }}" if each.kind in _ROOTS else each.name
        name = what if each.kind in _ROOTS else f"{each.kind} {what}"
        least = "none" if each.access.least is None else each.access.least.name
        lines.append(f"| `{name}` | {least} | {_SAYS[each.access.scope]} |")
    return "\n".join(lines) + "\n"


_ROOTS: Final = ("Query", "Mutation", "Subscription")
