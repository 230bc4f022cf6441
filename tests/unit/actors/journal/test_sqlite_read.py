import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from incident_manager.actors.journal.base import IncidentQuery, JournalError, Needs, SortField
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.vocabulary import IncidentState
from unit.actors.builders import make_history, make_incident, make_record, write


@pytest.mark.parametrize("sort", SortField)
@pytest.mark.parametrize(
    "conditions",
    [
        {"labels": {"tenant": "acme"}},
        {"labels": {"tenant": "acme", "third": "0"}},
        {"assigned_to": "kim", "labels": {"third": "1"}},
        {"assigned_to": "kim", "active_only": True},
    ],
)
async def test_what_many_bear_and_what_few_bear(
    tmp_path: Path, sort: SortField, conditions: dict[str, Any]
) -> None:
    """More than a thousand rows beside the incidents turn the query round."""
    records = [
        make_record(
            n,
            make_incident(
                n,
                labels={"tenant": "acme", "third": str(n % 3)},
                assignees=("kim",) if n % 7 else ("rae", "kim"),
                state=IncidentState.CLOSED if n % 2 else IncidentState.NEW,
            ),
        )
        for n in range(1, 1103)
    ]
    query = IncidentQuery(sort=sort, size=7, page=3, **conditions)
    async with open_sqlite(tmp_path / "db") as sqlite, open_memory() as memory:
        await write(sqlite, *records)
        await write(memory, *records)
        one, other = await sqlite.incidents(query), await memory.incidents(query)
    assert one.incidents == other.incidents
    assert (one.total, one.cursors) == (other.total, other.cursors)
    assert len(one.incidents) == 7


async def test_a_damaged_body_is_named_and_nothing_else_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "db"
    async with open_sqlite(path) as journal:
        await write(journal, *make_history(3))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE events SET body = substr(body, 9) WHERE offset = 2")
        connection.execute("UPDATE incidents SET body = '{}' WHERE id = ?", (make_incident(2).id,))
    async with open_sqlite(path) as journal:
        with pytest.raises(JournalError, match="event 2 cannot be read"):
            await journal.read_after(0, 10)
        with pytest.raises(JournalError, match=f"incident {make_incident(2).id} cannot be read"):
            await journal.load(Needs(frozenset({make_incident(2).id})), 0, 0)
        assert (await journal.read_after(0, 1)).records == make_history(1)
        assert (await journal.read_after(2, 9)).records == make_history(1, 3)
        await write(journal, make_record(4))
