"""What is read from a memory journal's store: the read side of the port, without waiting."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from incident_manager.actors.journal.memory_store import Beside, MemoryStore
from incident_manager.actors.journal.place import PlaceKey, decode_place, encode_place
from incident_manager.actors.journal.query import (
    ALERTS,
    AUDIT,
    COMMENTS,
    SEARCH,
    TIMELINE,
    alert_key,
    alert_matches,
    bears,
    decode_after,
    encode_after,
    matches,
    search_place,
    sort_key,
)
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    AuditPage,
    AuditQuery,
    CommentPage,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    Stats,
    TimelinePage,
)
from incident_manager.actors.journal.words import searched, wanted
from incident_manager.actors.model import Alert, Incident
from incident_manager.actors.vocabulary import Severity

__all__ = [
    "read_alert_page",
    "read_alerts_of",
    "read_audit",
    "read_comments_of",
    "read_page",
    "read_related",
    "read_search",
    "read_stats",
    "read_timeline_of",
]

_T = TypeVar("_T")

_Keyed = tuple[PlaceKey, _T]


def _cut(
    found: Sequence[_Keyed[_T]], place: PlaceKey | None, start: int, size: int, *, down: bool
) -> tuple[list[_Keyed[_T]], bool, bool]:
    """The items of a page, whether more follow, and whether some lie before."""
    rest = found
    if place is not None:
        rest = [each for each in found if (each[0] < place if down else each[0] > place)]
    pick = heapq.nlargest if down else heapq.nsmallest
    upto = pick(start + size + 1, rest, key=lambda each: each[0])
    before = len(rest) < len(found) or (start > 0 and len(found) > 0)
    return upto[start : start + size], len(upto) > start + size, before


def read_page(store: MemoryStore, query: IncidentQuery) -> IncidentPage:
    """One page, its total and what lies around it; the query has been checked."""
    sort, down = query.sort, query.descending
    place = None if query.after is None else decode_after(query.after, sort, descending=down)
    found = [
        (sort_key(each, sort), each) for each in store.incidents.values() if matches(query, each)
    ]
    items, after, before = _cut(found, place, query.page * query.size, query.size, down=down)
    return IncidentPage(
        tuple(each for _, each in items),
        tuple(encode_after(each, sort, descending=down) for _, each in items),
        len(found),
        after,
        before,
        store.bounds,
    )


def read_search(store: MemoryStore, query: SearchQuery) -> IncidentPage:
    """One page of a search; the query has been checked."""
    asked = wanted(query.text)
    place = search_place(query)
    found: list[_Keyed[Incident]] = []
    for number, incident in enumerate(store.incidents.values(), start=1):
        if not asked or not bears(incident.labels, query.labels):
            continue
        title, rest = (each.split() for each in searched(incident))
        if asked.found_in((*title, *rest)):
            found.append(((int(asked.found_in(title)), number), incident))
    items, after, before = _cut(found, place, query.page * query.size, query.size, down=True)
    return IncidentPage(
        tuple(each for _, each in items),
        tuple(encode_place(SEARCH, key) for key, _ in items),
        len(found),
        after,
        before,
        store.bounds,
    )


def read_stats(store: MemoryStore, query: IncidentQuery) -> Stats:
    """Counts of what the query matches."""
    by_severity = dict.fromkeys(Severity, 0)
    total = active = 0
    for incident in store.incidents.values():
        if matches(query, incident):
            total += 1
            active += incident.is_active
            by_severity[incident.severity] += incident.is_active
    return Stats(total, active, total - active, by_severity, store.bounds)


def read_alert_page(store: MemoryStore, query: AlertQuery) -> AlertPage:
    """One page of alerts; the query has been checked."""
    place = None if query.after is None else decode_place(query.after, ALERTS, [int, str])
    found = [
        (alert_key(each), each) for each in store.alerts.values() if alert_matches(query, each)
    ]
    items, after, before = _cut(found, place, query.page * query.size, query.size, down=True)
    return AlertPage(
        tuple(each for _, each in items),
        tuple(encode_place(ALERTS, key) for key, _ in items),
        len(found),
        after,
        before,
        store.bounds,
    )


def _beside(
    store: MemoryStore, ids: Iterable[str], answer: Callable[[Beside], _T]
) -> Mapping[str, _T]:
    nothing = Beside()
    return {each: answer(store.beside.get(each, nothing)) for each in ids}


def read_related(
    store: MemoryStore, ids: Iterable[str], first: int, labels: Mapping[str, str] | None
) -> Mapping[str, tuple[Incident, ...]]:
    """See the port."""

    def answer(beside: Beside) -> tuple[Incident, ...]:
        links = sorted(((offset, each) for each, offset in beside.links.items()), reverse=True)
        known = [store.incidents[each] for _, each in links if each in store.incidents]
        return tuple(each for each in known if bears(each.labels, labels))[:first]

    return _beside(store, ids, answer)


def read_alerts_of(
    store: MemoryStore, ids: Iterable[str], first: int, labels: Mapping[str, str] | None
) -> Mapping[str, tuple[Alert, ...]]:
    """See the port."""

    def answer(beside: Beside) -> tuple[Alert, ...]:
        found = (each for each in beside.alerts.values() if bears(each.labels, labels))
        return tuple(heapq.nlargest(first, found, key=alert_key))

    return _beside(store, ids, answer)


def read_comments_of(
    store: MemoryStore, ids: Iterable[str], first: int, after: str | None
) -> Mapping[str, CommentPage]:
    """See the port."""
    place = None if after is None else decode_place(after, COMMENTS, [int, str])

    def answer(beside: Beside) -> CommentPage:
        found = [((each.created_at, each.id), each) for each in beside.comments.values()]
        items, more, _ = _cut(found, place, 0, first, down=False)
        cursors = tuple(encode_place(COMMENTS, key) for key, _ in items)
        return CommentPage(tuple(each for _, each in items), cursors, len(found), more)

    return _beside(store, ids, answer)


def read_timeline_of(
    store: MemoryStore, ids: Iterable[str], first: int, after: str | None
) -> Mapping[str, TimelinePage]:
    """See the port."""
    place = None if after is None else decode_place(after, TIMELINE, [int, int])

    def answer(beside: Beside) -> TimelinePage:
        found = [((offset, number), each) for offset, number, each in beside.timeline]
        items, more, _ = _cut(found, place, 0, first, down=False)
        cursors = tuple(encode_place(TIMELINE, key) for key, _ in items)
        return TimelinePage(tuple(each for _, each in items), cursors, len(found), more)

    return _beside(store, ids, answer)


def read_audit(store: MemoryStore, query: AuditQuery) -> AuditPage:
    """See the port."""
    place = None if query.after is None else decode_place(query.after, AUDIT, [int])
    found = [
        ((each.id,), each)
        for each in store.audit
        if query.principal in (None, each.principal)
        and (not query.actions or each.action in query.actions)
        and query.incident_id in (None, each.incident_id)
        and (query.since is None or each.time >= query.since)
        and (query.until is None or each.time < query.until)
    ]
    items, more, _ = _cut(found, place, 0, query.size, down=True)
    end = encode_place(AUDIT, items[-1][0]) if items else None
    return AuditPage(tuple(each for _, each in items), end, more)
