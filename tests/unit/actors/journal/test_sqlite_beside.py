import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.reads import SearchQuery
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.vocabulary import Kind
from unit.actors.builders import (
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
)


async def test_a_hundred_incidents_with_all_that_lies_beside_are_five_queries(
    tmp_path: Path,
) -> None:
    incidents = [make_incident(number) for number in range(1, 101)]
    ids = [each.id for each in incidents]
    async with open_sqlite(tmp_path / "db", readers=1) as journal:
        await write(
            journal,
            *[make_record(n, i, alert=make_alert(n, i)) for n, i in enumerate(incidents, 1)],
            *[
                evolve(
                    change(100 + n, i, Kind.COMMENT), comment=make_comment(n), related_id=ids[-n]
                )
                for n, i in enumerate(incidents, 1)
            ],
        )
        statements: list[str] = []
        (connection,) = journal._readers
        connection.set_trace_callback(statements.append)
        assert len(await journal.incidents_by_id(ids)) == 100
        related = await journal.related(ids, 20)
        alerts = await journal.alerts_of(ids, 20)
        comments = await journal.comments_of(ids, 20)
        timeline = await journal.timeline_of(ids, 50)
        asked = [each for each in statements if each not in ("BEGIN ", "BEGIN", "ROLLBACK")]
        assert len(asked) == 5
        assert {len(each) for each in related.values()} == {1}
        assert {len(each) for each in alerts.values()} == {1}
        assert {each.total for each in comments.values()} == {1}
        assert {each.total for each in timeline.values()} == {4}
        statements.clear()
        assert len((await journal.search(SearchQuery("checkout", size=100))).incidents) == 100
        bodies = [each for each in statements if "body" in each]
        assert len(bodies) == 1


async def test_a_damaged_body_is_named(tmp_path: Path) -> None:
    one = make_incident(1)
    comment = evolve(change(2, one, Kind.COMMENT), comment=make_comment(1))
    async with open_sqlite(tmp_path / "db") as journal:
        await write(journal, make_record(1, one, alert=make_alert(1, one)), comment)
    with closing(sqlite3.connect(tmp_path / "db")) as connection, connection:
        for table in ("alerts", "comments", "timeline"):
            connection.execute(f"UPDATE {table} SET body = '{{}}'")
    async with open_sqlite(tmp_path / "db") as journal:
        with pytest.raises(JournalError, match=f"alert {make_alert(1).id} cannot be read"):
            await journal.alert(make_alert(1).id)
        with pytest.raises(JournalError, match=f"alert {make_alert(1).id} cannot be read"):
            await journal.alerts_of([one.id], 1)
        with pytest.raises(JournalError, match=f"comment {make_comment(1).id} cannot be read"):
            await journal.comments_of([one.id], 1)
        with pytest.raises(JournalError, match="a timeline entry of event 1 cannot be read"):
            await journal.timeline_of([one.id], 1)
        assert await journal.incident(one.id) == comment.incident
