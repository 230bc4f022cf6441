"""A redaction on every adapter: what goes, what stays, and that nothing is left in the files."""

from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.actors import answers
from incident_manager.actors.journal import sqlite_redact
from incident_manager.actors.journal.base import Answer, Append, Journal, Needs
from incident_manager.actors.journal.reads import AlertQuery, IncidentQuery, SearchQuery
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.journal.sqlite_check import check
from incident_manager.actors.journal.sqlite_file import connect
from incident_manager.actors.model import Incident, Record, Resolution
from incident_manager.actors.redaction import REDACTED, Redaction, redact_incident
from incident_manager.actors.vocabulary import IncidentState, Kind, ResolutionMethod
from unit.actors.builders import (
    SECOND,
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
)

SECRET = "Xanthippe"
ONE = make_incident(
    1,
    title=f"Login of {SECRET} fails",
    description=f"It is {SECRET} again. " * 400,  # goes on to pages of its own
    labels={"tenant": "acme", "user": SECRET},
    metadata={"who": SECRET},
    affected_resources=(f"home-of-{SECRET}",),
)
OTHER = make_incident(2, title="Nothing to do with it", labels={"user": "nobody"})
WHOLE = Redaction(ONE.id, labels=("us*",))


def story() -> tuple[Record, ...]:
    """Everything that can be said about an incident, with the secret in each."""
    alert = make_alert(
        1,
        ONE,
        title=SECRET,
        description=SECRET,
        annotations={"summary": SECRET},
        runbook_url=f"https://wiki/{SECRET}",
        labels=ONE.labels,
        affected_services=ONE.affected_resources,
    )
    renamed = f"Renamed {SECRET}"
    records = [
        make_record(1, ONE, kind=Kind.ALERT, alert=alert),
        make_record(2, OTHER),
        evolve(change(3, ONE, Kind.COMMENT), comment=make_comment(1, content=f"I am {SECRET}")),
        change(4, ONE, title=renamed),
        change(5, ONE, Kind.ESCALATE, title=renamed, severity="P0"),
    ]
    records[4] = evolve(records[4], reason=f"{SECRET} called")
    resolution = Resolution(9, "rae", ResolutionMethod.MANUAL, f"Told {SECRET}", SECRET)
    last = change(6, ONE, Kind.RESOLVE, state=IncidentState.RESOLVED, resolution=resolution)
    return (*records, last)


STORY = tuple(
    evolve(each, incident=evolve(each.incident, severity=ONE.severity))
    if each.kind is Kind.ESCALATE and each.incident
    else each
    for each in story()
)
ANSWERS = (
    Answer("mine", "digest", answers.encode((ONE, OTHER)), 1 << 60),
    Answer("other", "digest", answers.encode((OTHER,)), 1 << 60),
)


async def redact(journal: Journal, redaction: Redaction = WHOLE) -> Record:
    """Redact as the registry does: with an event of its own."""
    head = (await journal.bounds()).head
    incident = await journal.incident(redaction.incident_id)
    assert incident is not None
    after = redact_incident(incident, redaction)
    record = change(head + 1, after, Kind.REDACT)
    record = evolve(record, reason="asked for")
    await journal.append(Append(head, (record,), (), (redaction,)))
    return record


async def tell(journal: Journal) -> None:
    await journal.append(Append(0, STORY, ANSWERS))


async def everything(journal: Journal) -> str:
    """All that can be read of it."""
    both = (ONE.id, OTHER.id)
    return repr(
        (
            await journal.read_after(0, 100),
            await journal.incidents(IncidentQuery()),
            await journal.alerts(AlertQuery()),
            await journal.comments_of(both, 100),
            await journal.timeline_of(both, 100),
            await journal.load(Needs(answers=frozenset({"mine", "other"})), 0, 0),
        )
    )


def files(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


class TestWhatIsRead:
    async def test_the_text_is_nowhere_and_the_rest_is_as_it_was(self, journal: Journal) -> None:
        await tell(journal)
        assert SECRET in await everything(journal)
        last = await redact(journal)
        assert SECRET not in await everything(journal)
        chunk = await journal.read_after(0, 100)
        assert [each.offset for each in chunk.records] == [1, 2, 3, 4, 5, 6, 7]
        assert chunk.records[1] == STORY[1]
        assert chunk.records[6] == last
        for before, after in zip(STORY, chunk.records[:6], strict=True):
            assert (before.kind, before.time, before.before) == (
                after.kind,
                after.time,
                after.before,
            )
        [first] = [each for each in chunk.records if each.offset == 1]
        assert first.incident is not None
        assert first.incident.title == REDACTED
        assert first.incident.labels == {"tenant": "acme", "user": REDACTED}
        assert first.incident.fingerprint == ONE.fingerprint
        assert chunk.records[6].reason == "asked for"

    async def test_it_is_found_no_more_by_what_it_said(self, journal: Journal) -> None:
        await tell(journal)
        assert (await journal.search(SearchQuery(SECRET))).total == 1
        assert (await journal.incidents(IncidentQuery(labels={"user": SECRET}))).total == 1
        await redact(journal)
        assert (await journal.search(SearchQuery(SECRET))).total == 0
        assert (await journal.incidents(IncidentQuery(labels={"user": SECRET}))).total == 0
        assert (await journal.alerts(AlertQuery(labels={"user": SECRET}))).total == 0
        assert (await journal.incidents(IncidentQuery(labels={"tenant": "acme"}))).total == 1
        assert (await journal.search(SearchQuery("redacted"))).total == 1
        assert (await journal.search(SearchQuery("nothing"))).total == 1

    async def test_lines_of_events_that_are_trimmed_go_too(self, journal: Journal) -> None:
        await tell(journal)
        await journal.trim(keep=1, before=0, limit=99)
        before = (await journal.timeline_of([ONE.id], 100))[ONE.id].entries
        await redact(journal)
        after = (await journal.timeline_of([ONE.id], 100))[ONE.id].entries
        assert SECRET not in await everything(journal)
        assert [(e.offset, e.event_type, e.actor) for e in after[:-1]] == [
            (e.offset, e.event_type, e.actor) for e in before
        ]
        assert after[0].description == REDACTED
        assert after[0].metadata == {"severity": "P2", "source": "prometheus"}

    async def test_a_part_of_it_can_go_alone(self, journal: Journal) -> None:
        await tell(journal)
        from incident_manager.actors.redaction import Scope

        await redact(journal, Redaction(ONE.id, frozenset({Scope.COMMENTS})))
        incident = await journal.incident(ONE.id)
        assert incident is not None
        assert incident.title == ONE.title
        assert incident.labels == ONE.labels
        [comment] = (await journal.comments_of([ONE.id], 9))[ONE.id].comments
        assert comment.content == REDACTED

    async def test_what_comes_later_is_not_touched(self, journal: Journal) -> None:
        await tell(journal)
        last = await redact(journal)
        assert last.incident is not None
        await write(journal, change(8, last.incident, title="A new title"))
        incident = await journal.incident(ONE.id)
        assert incident is not None
        assert incident.title == "A new title"


class TestTheFiles:
    async def test_nothing_of_the_old_text_is_in_them(self, tmp_path: Path) -> None:
        path = tmp_path / "db"
        async with open_sqlite(path) as journal:
            await tell(journal)
            assert SECRET.encode() in files(path)
            await redact(journal)
            assert SECRET.encode() not in files(path)
            assert SECRET.lower().encode() not in files(path)  # as search has it
            assert Path(f"{path}-wal").stat().st_size < 100_000
        assert check(path).problems == ()

    @settings(
        max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        sizes=st.lists(st.integers(0, 3000), min_size=3, max_size=40),
        number=st.uuids(),
    )
    async def test_whatever_was_written_before_and_between(
        self, tmp_path: Path, sizes: list[int], number: object
    ) -> None:
        """Rows of many sizes come and go, so that pages are split, joined and used again."""
        path = tmp_path / f"{number}.db"
        async with open_sqlite(path) as journal:
            incident: Incident = ONE
            await write(journal, make_record(1, incident))
            for offset, size in enumerate(sizes, start=2):
                if offset % 3:
                    text = f"{SECRET} {'x' * size} {SECRET}"
                    record = change(offset, incident, description=text, title=text[:400])
                    assert record.incident is not None
                    incident = record.incident
                else:
                    record = make_record(
                        offset, make_incident(offset, description="y" * size), time=SECOND
                    )
                await write(journal, record)
                if size % 5 == 0:
                    await journal.trim(keep=3, before=0, limit=99)
            await redact(journal, Redaction(ONE.id, labels=("*",)))
            assert SECRET.encode() not in files(path)
            assert SECRET.lower().encode() not in files(path)
        assert check(path).problems == ()

    async def test_a_reader_of_an_older_moment_is_waited_for(self, tmp_path: Path) -> None:
        path = tmp_path / "db"
        async with open_sqlite(path) as journal:
            await tell(journal)
            reader = connect(path, query_only=True)
            reader.execute("BEGIN").close()
            reader.execute("SELECT count(*) FROM events").fetchone()
            await redact(journal)
            assert SECRET not in await everything(journal)
            assert SECRET.encode() in files(path)
            await journal.probe()
            assert SECRET.encode() in files(path)
            reader.close()
            await journal.probe()
            assert SECRET.encode() not in files(path)

    async def test_what_was_not_scrubbed_is_after_a_crash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "db"
        async with open_sqlite(path) as journal:
            await tell(journal)
            keeper = connect(path)  # the log is not folded in at the close
            keeper.execute("SELECT count(*) FROM events").fetchone()
            with monkeypatch.context() as crash:
                crash.setattr(sqlite_redact, "scrub", lambda _: False)
                await redact(journal)
        assert SECRET.encode() in files(path)
        async with open_sqlite(path) as journal:
            await journal.probe()
            assert SECRET.encode() not in files(path)
        keeper.close()
