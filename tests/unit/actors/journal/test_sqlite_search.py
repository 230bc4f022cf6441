import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.sqlite_file import connect
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_search import Hits, find, follow
from incident_manager.actors.journal.words import wanted
from unit.actors.builders import make_incident

NONE = Hits((), 0, has_next=False, has_previous=False)


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    with closing(connect(Path("search"), mode="mode=memory")) as opened:
        for statement in (each for step in MIGRATIONS for each in step):
            opened.execute(statement)
        for number in range(1, 6):
            labels = {"odd": str(number % 2), "quote": '"'}
            follow(opened, number, None, make_incident(number, labels=labels))
        yield opened


def hits(connection: sqlite3.Connection, text: str, **labels: str) -> Hits:
    return find(connection, wanted(text), labels, place=None, offset=0, size=3)


def test_a_row_is_written_only_where_its_words_may_have_changed(
    connection: sqlite3.Connection,
) -> None:
    old = make_incident(9)
    follow(connection, 9, None, old)
    before = connection.total_changes
    follow(connection, 9, old, evolve(old, alert_count=7, updated_at=1, assignees=("rae",)))
    assert connection.total_changes == before
    for new in (evolve(old, title="Solitude"), evolve(old, labels={"word": "solitude"})):
        follow(connection, 9, old, new)
        assert hits(connection, "solitude").total == 1
    follow(connection, 9, evolve(old, labels={"word": "solitude"}), old)
    assert hits(connection, "solitude") == NONE
    connection.execute("DELETE FROM search WHERE rowid = 9")


def test_a_page_says_what_lies_around_it(connection: sqlite3.Connection) -> None:
    first = hits(connection, "checkout")
    assert first == Hits(((1, 5), (1, 4), (1, 3)), 5, has_next=True, has_previous=False)
    asked = wanted("checkout")
    rest = Hits(((1, 2), (1, 1)), 5, has_next=False, has_previous=True)
    assert find(connection, asked, {}, place=(1, 3), offset=0, size=3) == rest
    assert find(connection, asked, {}, place=None, offset=3, size=3) == rest
    beyond = Hits((), 5, has_next=False, has_previous=True)
    assert find(connection, asked, {}, place=(0, 9), offset=0, size=3) == beyond
    assert find(connection, asked, {}, place=None, offset=9, size=3) == beyond


def test_labels_are_part_of_the_match(connection: sqlite3.Connection) -> None:
    assert hits(connection, "checkout", odd="0").total == 2
    assert hits(connection, "checkout", odd="0", quote='"').total == 2
    assert hits(connection, "checkout", odd="2") == NONE
    assert hits(connection, "checkout", odd="\ud800") == NONE


@settings(max_examples=300)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from([*"\"'*^:(){}+-\0", "OR", "AND", "NOT", "NEAR(", "title :", "checkout"]),
        max_size=8,
    ).map(" ".join),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2),
)
def test_no_text_is_syntax(
    connection: sqlite3.Connection, text: str, labels: dict[str, str]
) -> None:
    found = hits(connection, text)
    assert 0 <= found.total <= 5
    assert find(connection, wanted(text), labels, place=None, offset=0, size=1).total <= found.total
