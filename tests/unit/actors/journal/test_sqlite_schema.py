import sqlite3
from contextlib import closing

import pytest

from incident_manager.actors.journal.sqlite_schema import APPLICATION_ID, MIGRATIONS


def test_the_mark_reads_as_letters() -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"LIMJ"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT min(offset) FROM events", "INTEGER PRIMARY KEY|events"),
        ("SELECT body FROM events WHERE offset > 1 ORDER BY offset LIMIT 9", "PRIMARY KEY"),
        ("SELECT body FROM incidents WHERE id = ''", "autoindex_incidents"),
        (
            "SELECT id FROM incidents WHERE active = 1 AND scope = '' AND fingerprint = ''"
            " AND created_at >= 1 ORDER BY created_at DESC, id DESC",
            "COVERING INDEX incidents_fingerprint",
        ),
        (
            "SELECT count(*) FROM source_keys WHERE incident_id = '' AND firing = 1",
            "COVERING INDEX keys_firing",
        ),
        (
            "SELECT body FROM incidents WHERE active = 1 ORDER BY created_at DESC, id DESC",
            "incidents_active",
        ),
        (
            "SELECT body FROM incidents WHERE (severity, created_at, id) < (1, 2, '')"
            " ORDER BY severity DESC, created_at DESC, id DESC",
            "incidents_severity",
        ),
        (
            "SELECT body FROM incidents ORDER BY updated_at DESC, created_at DESC, id DESC",
            "incidents_updated",
        ),
        (
            "SELECT body FROM incidents WHERE state = 1 ORDER BY created_at DESC, id DESC",
            "incidents_state",
        ),
        (
            "SELECT body FROM incidents WHERE source = '' ORDER BY created_at DESC, id DESC",
            "incidents_source",
        ),
        (
            "SELECT incident_id FROM incident_labels WHERE key = '' AND value = ''",
            "COVERING INDEX labels_value",
        ),
        (
            "SELECT body FROM alerts WHERE incident_id = '' ORDER BY received_at, id",
            "alerts_incident",
        ),
        ("SELECT body FROM alerts ORDER BY received_at DESC, id DESC", "alerts_received"),
        (
            "SELECT body FROM comments WHERE incident_id = '' ORDER BY created_at, id",
            "comments_incident",
        ),
        ("SELECT body FROM timeline WHERE incident_id = '' ORDER BY offset, seq", "PRIMARY KEY"),
        ("SELECT related_id FROM links WHERE incident_id = ''", "PRIMARY KEY"),
    ],
)
def test_what_is_asked_often_has_an_index_and_is_not_sorted(statement: str, index: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for step in MIGRATIONS:
            for each in step:
                connection.execute(each)
        plan = " ".join(
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        )
    assert any(name in plan for name in index.split("|")), plan
    assert "TEMP B-TREE" not in plan
