"""Execution: results, and errors at their paths."""

import pytest
import trio

from incident_manager.actors.errors import Unavailable
from incident_manager.actors.journal.memory import open_memory
from incident_manager.schema.execute import execute
from incident_manager.schema.operation import Preparer
from unit.schema.desk import Desk

PREPARER = Preparer()


async def test_fields_beside_each_other(desk: Desk) -> None:
    result = await desk.run(
        "{ __typename health { status } a: cursor b: cursor incidents { cursor } }"
    )
    cursor = str((await desk.journal.bounds()).cursor)
    assert result == {
        "data": {
            "__typename": "Query",
            "health": {"status": "DEGRADED"},
            "a": cursor,
            "b": cursor,
            "incidents": {"cursor": cursor},
        }
    }


async def test_a_result_without_waiting(desk: Desk) -> None:
    assert await desk.run("{ __typename }") == {"data": {"__typename": "Query"}}


async def test_an_operation_may_be_executed_again(desk: Desk) -> None:
    operation = PREPARER.prepare("{ a: cursor b: cursor }")
    assert await execute(operation, desk) == await execute(operation, desk)


async def test_a_refusal_has_its_code_field_and_path(desk: Desk) -> None:
    result = await desk.run("{ cursor x: incidents(pagination: {first: 0}) { cursor } }")
    assert result["data"] is None
    assert result["errors"] == [
        {
            "message": "first is 0; it must be 1 to 100",
            "extensions": {"code": "BAD_USER_INPUT", "field": "first"},
            "locations": [{"line": 1, "column": 10}],
            "path": ["x"],
        }
    ]


async def test_an_argument_that_only_shows_now(desk: Desk) -> None:
    query = (
        'query ($id: UUID = "00000000-0000-4000-8000-000000000001") { incident(id: $id) { id } }'
    )
    result = await desk.run(query, id=None)
    assert result["data"] == {"incident": None}
    [error] = result["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "$id" in error["message"]


async def test_a_journal_that_is_away() -> None:
    async with open_memory() as journal:
        closed = Desk(journal)
    result = await closed.run("{ cursor health { version } }")
    [error] = result["errors"]
    assert error["extensions"] == {"code": "SERVICE_UNAVAILABLE"}


class Restarting(Desk):
    async def ask(self, commands: object) -> list[object]:  # type: ignore[override]
        raise Unavailable("The registry restarts.")


class Broken(Desk):
    async def ask(self, commands: object) -> list[object]:  # type: ignore[override]
        raise RuntimeError("a secret")


SEND = (
    "mutation { submitAlert"
    '(input: {source: "s", title: "t", description: "", severity: P1}) { status } }'
)


async def test_an_unknown_outcome(desk: Desk) -> None:
    result = await Restarting(desk.journal).run(SEND)
    assert result == {
        "data": None,
        "errors": [
            {
                "message": "The registry restarts.",
                "extensions": {"code": "SERVICE_UNAVAILABLE"},
                "locations": [{"line": 1, "column": 12}],
                "path": ["submitAlert"],
            }
        ],
    }


async def test_a_fault_is_logged_and_not_shown(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    result = await Broken(desk.journal).run(SEND)
    assert "secret" not in str(result)
    [error] = result["errors"]
    assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    [record] = caplog.records
    assert "a secret" in str(record.exc_info)


async def test_cancellation_is_not_an_error(desk: Desk) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await desk.run("{ a: cursor b: incidents { cursor } }")
        raise AssertionError
    assert scope.cancelled_caught


async def test_a_subscription_is_not_executed(desk: Desk) -> None:
    with pytest.raises(ValueError, match="a subscription is not executed"):
        await execute(PREPARER.prepare("subscription { alerts { id } }"), desk)
