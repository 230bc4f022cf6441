"""The events of those who are confined: by their labels, whatever else there is."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Append, Chunk, Journal
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.selectors import seen, selectors_of
from unit.actors.builders import make_alert, make_history, write
from unit.actors.journal.histories import history_of, images

ROOMY = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@ROOMY
@given(
    st.lists(images, min_size=1, max_size=8),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from("ab"), min_size=1),
    st.integers(0, 9),
    st.integers(1, 4),
    st.integers(0, 3),
)
async def test_they_are_those_that_would_be_seen(
    tmp_path_factory: Any,
    drawn: list[dict[str, Any]],
    labels: dict[str, str],
    offset: int,
    limit: int,
    trimmed: int,
) -> None:
    history, selectors = history_of(drawn), selectors_of(labels)
    path = tmp_path_factory.mktemp("bearing") / "db"
    found: list[tuple[Any, ...]] = []
    async with open_memory() as memory, open_sqlite(path) as sqlite:
        journals: tuple[Journal, ...] = (memory, sqlite)
        for journal in journals:
            await journal.append(Append(0, history))
            await journal.trim(keep=max(1, len(history) - trimmed), before=0, limit=99)
            chunk = await journal.read_bearing(selectors, offset, limit)
            everything = (await journal.read_after(offset, 99)).records
            own = [each for each in everything if seen(each, selectors) is not None]
            assert list(chunk.records) == own[:limit]
            full = len(chunk.records) == limit
            assert chunk.examined == (chunk.records[-1].offset if full else chunk.bounds.head)
            found.append((chunk.records, chunk.examined))
    assert found[0] == found[1]


async def test_alerts_by_their_ids(journal: Journal) -> None:
    records = make_history(2)
    alert = make_alert(1)
    await write(journal, records[0])
    assert await journal.alerts_by_id([alert.id]) == {}
    assert isinstance(await journal.read_bearing((("a", "1"),), 0, 1), Chunk)


async def test_the_secret_stays_with_the_journal(opener: Any) -> None:
    async with opener() as journal:
        secret = await journal.secret()
    assert len(secret) == 32
    async with opener() as journal:
        assert await journal.secret() == secret
    async with open_memory() as other:
        assert await other.secret() != secret
