"""What is in a journal's file, read past the server: with SQLite's own module and nothing else."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from system.traffic import Work

__all__ = ["Body", "check_offsets", "check_work", "events"]

Body = dict[str, Any]


def events(journal: Path) -> dict[int, Body]:
    """Every event of a whole file, by its offset, in the file's order."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT offset, body FROM events ORDER BY offset").fetchall()
        alerts = {row[0] for row in connection.execute("SELECT id FROM alerts")}
    bodies = {offset: json.loads(body) for offset, body in rows}
    assert alerts == {body["alert"]["id"] for body in bodies.values() if body["alert"]}
    return bodies


def check_offsets(offsets: Iterable[int]) -> None:
    """They go from 1 on without a hole."""
    found = list(offsets)
    assert found == list(range(1, len(found) + 1)), "offsets have a hole"


def check_work(bodies: dict[int, Body], work: Work) -> None:
    """What was acknowledged is there once, and of the rest only what was sent."""
    alerts = [body["alert"] for body in bodies.values() if "number" in body["alert"]["labels"]]
    found = {int(alert["labels"]["number"]): alert["id"] for alert in alerts}
    assert len(found) == len(alerts), "an alert was taken twice"
    lost = {n: name for n, name in work.acknowledged.items() if found.get(n) != name}
    assert not lost, "acknowledged, and not in the journal"
    assert found.keys() <= work.acknowledged.keys() | work.unknown, "nobody has sent it"
