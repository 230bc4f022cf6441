"""Operations as every door runs them: counted, whatever becomes of them."""

import pytest

from incident_manager.http.auth import ANONYMOUS
from incident_manager.http.execution import execute, prepare
from incident_manager.http.gateway import Gateway
from incident_manager.schema.errors import OperationRefused
from unit.http.served import serving

MISSING = "00000000-0000-4000-8000-000000000000"


def ask(gateway: Gateway, query: str):
    return prepare(gateway, query, None, None, ANONYMOUS)


async def test_root_fields_are_counted_when_they_are_asked_for() -> None:
    async with serving() as served:
        gateway = served.gateway
        ask(gateway, "{ a: cursor b: cursor __typename }")
        ask(gateway, "subscription { newIncidents { id } }")
        assert gateway.counters.queries == {"cursor": 2, "__typename": 1, "newIncidents": 1}
        with pytest.raises(OperationRefused):
            ask(gateway, "{ nothing }")
        assert gateway.counters.queries.total() == 4
        assert gateway.counters.query_seconds.count == 0


async def test_times_and_errors_are_counted_when_they_are_executed() -> None:
    async with serving() as served:
        gateway = served.gateway
        who = gateway.authenticator.authenticate()
        for query in ("{ cursor }", f'mutation {{ closeIncident(id: "{MISSING}") {{ id }} }}'):
            await execute(gateway, ask(gateway, query), gateway.session(who))
        assert gateway.counters.query_seconds.count == 2
        assert gateway.counters.query_errors == {"NOT_FOUND": 1}
