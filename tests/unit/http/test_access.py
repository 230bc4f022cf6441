from incident_manager.actors.access import Scope
from incident_manager.http.access import DOORS, rules, table
from incident_manager.http.web import ROUTES
from incident_manager.schema.build import schema

TABLE = {(each.kind, each.name): each.access for each in rules()}


def test_the_table_has_everything_that_can_be_asked_for() -> None:
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        assert root is not None
        assert {name for kind, name in TABLE if kind == root.name} == set(root.fields)
    assert {name for kind, name in TABLE if kind == "WS"} == set(DOORS)
    for route in ROUTES:
        name = route.path.replace("<", "{").replace(">", "}")
        assert TABLE[route.method, name] == route.access


def test_who_is_confined_gets_nothing_of_what_is_of_everybody() -> None:
    refused = {name for (_, name), access in TABLE.items() if access.scope is Scope.NONE}
    assert {"/metrics", "/v1/audit", "/debug/actors"} <= refused
    for (_, name), access in TABLE.items():
        if name.startswith("/debug/actors"):
            assert access.scope is Scope.NONE
        if access.least is None:  # nobody is asked who they are, so nothing is anybody's
            assert access.scope is Scope.SAME


def test_it_is_written_down_line_by_line() -> None:
    lines = table().splitlines()
    assert len(lines) == len(TABLE) + 2
    assert "| `mutation { submitAlert }` | RESPONDER | what is its own |" in lines
    assert "| `GET /metrics` | VIEWER | FORBIDDEN |" in lines
    assert "| `GET /health` | none | the same as everybody |" in lines
    assert "| `WS /graphql/ws` | VIEWER | what is its own |" in lines
