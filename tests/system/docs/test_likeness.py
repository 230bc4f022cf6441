"""The comparison with what a document shows: what passes, and what must not."""

import pytest

from system.docs.likeness import Likeness

ONE = "01a2053e-ebb4-7837-8298-0c1b39f300e5"
TWO = "01a2053e-ebb4-7836-ba36-f41b2c6bbe56"
THREE = "01a2053e-ebb4-7836-ba36-f41b2c6bbe57"
EPOCH = "7c0b9285528f41ec80a031602e790ec4"
OTHER = "00000000528f41ec80a031602e790ec4"


@pytest.mark.parametrize(
    ("shown", "actual"),
    [
        ('{"a": 1, "b": "x"}', '{"b":"x","a":1}'),
        (f'{{"id": "{ONE}", "again": "{ONE}"}}', f'{{"id": "{TWO}", "again": "{TWO}"}}'),
        ('{"at": "2026-01-31T12:00:00.000000Z"}', '{"at": "2031-12-01T00:59:00.123456Z"}'),
        (f'{{"cursor": "{EPOCH}:4"}}', f'{{"cursor": "{OTHER}:4"}}'),
        ('{"uptime_seconds": 2}', '{"uptime_seconds": 9}'),
        ('{"a": 1, "…": "…"}', '{"a": 1, "b": 2}'),
        ('{"a": [1, "…"]}', '{"a": [1, 2, 3]}'),
        ('{"a": "…"}', '{"a": null}'),
        ("data …/incidents.db (SQLite)", "data /some/place/incidents.db (SQLite)"),
        ('{"a": 1}\n{"b": 2}', '{"a":1}\n{"b":2}'),
    ],
)
def test_alike(shown: str, actual: str) -> None:
    Likeness().check_text(shown, actual)


@pytest.mark.parametrize(
    ("shown", "actual"),
    [
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"a": true}'),
        ('{"a": 1}', '{"a": "1"}'),
        ('{"a": 1}', '{"a": 1, "b": 2}'),
        ('{"a": 1, "b": 2}', '{"a": 1}'),
        ('{"a": [1]}', '{"a": [1, 2]}'),
        ('{"a": [1, "…"]}', '{"a": []}'),
        (f'{{"id": "{ONE}", "again": "{ONE}"}}', f'{{"id": "{TWO}", "again": "{THREE}"}}'),
        (f'{{"id": "{ONE}"}}', '{"id": "nonsense"}'),
        (f'{{"cursor": "{EPOCH}:4"}}', f'{{"cursor": "{OTHER}:5"}}'),
        ('{"at": "2026-01-31T12:00:00.000000Z"}', '{"at": "2026-01-31T12:00:00Z"}'),
        ('{"uptime_seconds": 2}', '{"uptime_seconds": "2"}'),
        ("one line", "one line\nand one more"),
        ("Is 1.5 (s)", "Is 1x5 (s)"),
    ],
)
def test_different(shown: str, actual: str) -> None:
    with pytest.raises(AssertionError):
        Likeness().check_text(shown, actual)


def test_an_id_keeps_its_meaning_through_a_document() -> None:
    likeness = Likeness()
    likeness.check_text(
        f'{{"id": "{ONE}", "cursor": "{EPOCH}:1"}}', f'{{"id": "{TWO}", "cursor": "{OTHER}:1"}}'
    )
    assert likeness.fill(f"{ONE} {EPOCH}:7 {THREE}") == f"{TWO} {OTHER}:7 {THREE}"
    with pytest.raises(AssertionError):
        likeness.check_text(f'{{"id": "{ONE}"}}', f'{{"id": "{THREE}"}}')
