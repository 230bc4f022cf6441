"""Histories of two tenants and an administrator, and all that one of the tenants can see of them.

A world is the whole application over a journal. What a tenant sees is written down so that it can
be compared with what it sees in another world: ids by the order in which they come up, cursors by
how many events of its own lie before them.
"""

import base64
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import jwt
import trio
from attrs import Factory, define, field, frozen
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from incident_manager.actors.batch import Batch
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import OpenJournal
from incident_manager.actors.ports import Gap, Listed, Outlet, Ranks
from incident_manager.actors.selectors import Selectors
from incident_manager.actors.subscription import Subscription
from incident_manager.actors.system import System, SystemSettings, open_system
from incident_manager.http.gateway import Phase
from incident_manager.schema.operation import Preparer
from incident_manager.schema.projector import GraphQLProjector
from incident_manager.schema.subscription import subscribed
from unit.actors.builders import SECOND, START
from unit.http.served import AUTHENTICATED, SECRET, Reply, Served, _Sources, recovering

__all__ = ["STEPS", "Seen", "Step", "World", "open_world"]

ACME = {"tenant": "acme"}
CORP = {"tenant": "corp"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PLACE = re.compile(r'("(?:end_cursor|endCursor)": ?)"([0-9A-Za-z_-]+)"')
_VEILED = re.compile(r"[0-9A-Za-z_-]{32}:[0-9]{1,18}")
NOBODY = "00000000-0000-4000-8000-000000000000"
STRANGE = "00000000-0000-4000-8000-00000000000f"


@frozen
class Step:
    """What somebody does: ``who`` is a tenant's name or ``admin``, ``about`` one of its own
    incidents (the newest is 0), or with ``foreign`` one of somebody else's.
    """

    who: str
    what: str
    about: int = 0
    other: int = 0
    text: str = "A"
    key: str = ""
    labels: Mapping[str, str] = field(factory=dict)
    foreign: bool = False
    idempotency: str = ""


_texts = st.sampled_from(("A", "B"))
_labels = st.dictionaries(st.sampled_from(("tenant", "a")), st.sampled_from(("acme", "1")))
_whats = st.sampled_from(
    (
        "alert",
        "alert",
        "resolved",
        "alertmanager",
        "create",
        "create",
        "patch",
        "unlabel",
        "comment",
        "acknowledge",
        "escalate",
        "link",
        "resolve",
        "close",
        "reopen",
    )
)
_steps = st.builds(
    Step,
    st.sampled_from(("acme", "acme", "corp", "corp", "admin")),
    _whats,
    st.integers(0, 2),
    st.integers(0, 2),
    _texts,
    st.sampled_from(("", "", "k")),
    _labels,
    st.booleans(),
    st.sampled_from(("", "", "i")),
)
_relabels = st.builds(Step, st.just("admin"), st.sampled_from(("give", "take")), st.integers(0, 2))
STEPS = st.lists(_steps | _steps | _steps | _relabels, min_size=4, max_size=14)


def _token(labels: Mapping[str, str]) -> dict[str, str]:
    # Both tenants go by one name: nothing may hang on that.
    claims: dict[str, Any] = {"sub": "svc", "roles": ["RESPONDER"], "exp": time.time() + 600}
    if labels:
        claims["selectors"] = dict(labels)
    return {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}


def _written(place: str) -> str:
    """A place in a list: what is written in it, or how long it is where it is sealed."""
    raw = base64.urlsafe_b64decode(place + "=" * (-len(place) % 4))
    return raw.decode() if raw.startswith(b'["') and raw.isascii() else f"<sealed: {len(raw)}>"


class Seen:
    """What a tenant has seen, in the order in which it saw it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._names: dict[str, str] = {}
        self.raw: list[str] = []
        self.log: list[str] = []

    def note(self, text: str) -> None:
        self.raw.append(text)
        text = _PLACE.sub(lambda found: f"{found[1]}{_written(found[2])}", text)
        text = _VEILED.sub(lambda found: self._rank(found[0]), text)
        self.log.append(_UUID.sub(lambda found: self._name(found[0]), text))

    def _name(self, uuid: str) -> str:
        if uuid in (NOBODY, STRANGE) or uuid in self._world.ids["corp"]:
            return "<of nobody>"  # where it is answered at all, it was in the question
        return self._names.setdefault(uuid, f"<{len(self._names)}>")

    def _rank(self, text: str) -> str:
        """A cursor as what it means: how many of the tenant's own events are behind it."""
        cursor = self._world.opened(Cursor.parse(text))
        return f"<behind {sum(each <= cursor.offset for each in self._world.own)}>"


class _Outlet:
    def flush(self) -> None:
        """What is offered is there already."""


class _Sink:
    """Takes whatever it is offered."""

    def __init__(self) -> None:
        self.outlet: Outlet = _Outlet()
        self.had: list[str] = []

    def offer(self, payload: bytes) -> bool:
        self.had.append(payload.decode())
        return True

    def offer_all(self, batch: Batch) -> bool:
        return all(map(self.offer, batch.payloads))

    drilled = False

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:
        return False

    def fall_out(self) -> None:
        pass

    def recovered(self) -> None:
        self.had.append("recovered")

    def lost(self, gap: Gap) -> None:
        self.had.append(f"lost {gap.since} {gap.until}")

    async def drained(self) -> None:
        await trio.lowlevel.checkpoint()


@define(eq=False)
class World:
    """The application, one tenant that looks at it, and those who do things in it."""

    served: Served
    system: System
    clock: list[int]
    nursery: trio.Nursery
    selectors: Selectors = (("tenant", "acme"),)
    ids: dict[str, list[str]] = Factory(lambda: {"acme": [], "corp": [], "admin": []})
    """The incidents that each has made, as they know."""
    own: list[int] = Factory(list)
    """The offsets of the tenant's own events."""
    seen: Seen = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.seen = Seen(self)

    def opened(self, cursor: Cursor) -> Cursor:
        """The place that a veiled cursor means."""
        found = self.system.hub.veils.of(self.selectors).open(cursor, self.system.hub.epoch)
        assert found.epoch == self.system.hub.epoch, cursor
        return found

    async def ask(self, method: str, path: str, who: Mapping[str, str], **given: Any) -> Reply:
        headers = {**_token(who), **given.pop("headers", {})}
        return await self.served.ask(method, path, headers=headers, **given)

    async def do(self, step: Step) -> None:
        """Take a step; what the tenant that looks gets for its own is noted."""
        reply = await self._take(step)
        if reply is None:
            return
        if step.who == "acme":
            shown = {name: reply.headers.get(name) for name in ("ETag", "Idempotency-Replayed")}
            self.seen.note(f"{step.what}: {reply.status} {shown} {reply.body.decode()}")
        body = reply.json
        made = body.get("incident_id") or (body.get("id") if step.what == "create" else None)
        if reply.status < 300 and made and made not in self.ids[step.who]:
            self.ids[step.who].append(made)

    async def _take(self, step: Step) -> Reply | None:
        path = f"/v1/incidents/{self._about(step.who, step.about, foreign=step.foreign)}"
        mine = self._about(step.who, step.about)
        # What is asked must be alike in both worlds, and there two ids of others may be one.
        key = "" if step.foreign else step.idempotency
        headers = {"Idempotency-Key": key} if key else {}
        labels = {"acme": ACME, "corp": CORP}.get(step.who, {})
        alert = {
            "source": "prometheus",
            "title": step.text,
            "description": "d",
            "severity": "P1",
            "labels": dict(step.labels),
            "external_id": step.key or None,
        }
        fired = {
            "status": "resolved" if step.what == "resolved" else "firing",
            "labels": {"alertname": step.text, **step.labels},
            "fingerprint": step.key or "f",
        }
        created = {**alert, "source": "desk", "incident_type": "CAPACITY"}
        del created["external_id"]
        asked: dict[str, tuple[str, str, Any]] = {
            "alert": ("POST", "/v1/alerts", alert),
            "resolved": ("POST", "/v1/alerts/alertmanager", {"alerts": [fired]}),
            "alertmanager": ("POST", "/v1/alerts/alertmanager", {"alerts": [fired]}),
            "create": ("POST", "/v1/incidents", created),
            "patch": ("PATCH", path, {"title": step.text, "add_labels": dict(step.labels)}),
            "unlabel": ("PATCH", path, {"remove_labels": ["tenant"]}),
            "comment": ("POST", f"{path}/comments", {"comment": "Seen"}),
            "acknowledge": ("POST", f"{path}/acknowledge", {}),
            "escalate": ("POST", f"{path}/escalate", {"new_severity": "P0", "reason": "r"}),
            "link": ("POST", f"/v1/incidents/{mine}/link", {"related_id": path.split("/")[-1]}),
            "resolve": ("POST", f"{path}/resolve", {"method": "MANUAL", "notes": "n"}),
            "close": ("POST", f"{path}/close", {}),
            "reopen": ("POST", f"{path}/reopen", {}),
            # An administrator gives one of its own to the tenant, or takes one away from it.
            "give": (
                "PATCH",
                f"/v1/incidents/{self._about('admin', step.about)}",
                {"add_labels": ACME},
            ),
            "take": (
                "PATCH",
                f"/v1/incidents/{self._about('acme', step.about)}",
                {"add_labels": CORP},
            ),
        }
        method, where, body = asked[step.what]
        if step.who == "admin" and step.what == "link":
            # The tenant's to the administrator's own: the tenant sees that, and not to what.
            where = f"/v1/incidents/{self._about('acme', step.about)}/link"
            body = {"related_id": self._about("admin", step.other)}
        elif step.who == "admin" and step.foreign and "labels" not in body:
            path = path.replace(path.split("/")[3], self._about("acme", step.about))
        return await self.ask(method, where, labels, json=body, headers=headers)

    def _about(self, who: str, place: int, *, foreign: bool = False) -> str:
        """An incident of one's own, or of others: what is not there is asked for as well."""
        theirs = {"acme": "corp", "corp": "acme", "admin": "acme"}[who] if foreign else who
        known = self.ids[theirs]
        return known[-1 - place % len(known)] if known else STRANGE if foreign else NOBODY

    async def settle(self) -> None:
        """Everything that streams has had what there is, and the tenant's events are known."""
        await wait_all_tasks_blocked()
        found = await self.system.journal.read_bearing(self.selectors, 0, 1000)
        self.own[:] = [record.offset for record in found.records]

    def subscribe(self, query: str, cursor: Cursor | None = None) -> Callable[[], list[str]]:
        """A subscription of the tenant; gives what it has had."""
        operation = PREPARER.prepare(query, confined=True)
        wanted = subscribed(operation, self.selectors)
        sink = _Sink()
        stream = Subscription(self.system.streams, sink, wanted.shape, wanted.filter, cursor=cursor)
        self.nursery.start_soon(stream.run)
        return lambda: sink.had

    async def look(self) -> None:
        """Note all that the tenant can find."""
        for query in LISTS:
            await self._pages("/v1/incidents", query)
        for query in ("page_size=2", "source=prometheus&page_size=3", "label=a:1", "severity=P1"):
            await self._pages("/v1/alerts", query)
        for number, one in enumerate((*self.ids["acme"], NOBODY)):
            for beside in ("", "/comments?first=1", "/timeline?first=2"):
                await self._pages(f"/v1/incidents/{one}{beside.partition('?')[0]}", beside[10:])
            if number < 3:
                await self._get(f"/v1/alerts?incident_id={one}")
        for one in (*self.ids["corp"], *self.ids["admin"]):
            reply = await self.ask("GET", f"/v1/incidents/{one}", ACME)
            if reply.status == 200:  # given to the tenant
                self.seen.note(reply.body.decode())
            for where in ("timeline", "comments"):
                beside = await self.ask("GET", f"/v1/incidents/{one}/{where}", ACME)
                assert beside.status == reply.status, where
        await self._events()
        for path in ("/metrics", "/debug/actors", "/v1/audit"):
            assert (await self.ask("GET", path, ACME)).status == 403
        for query in QUERIES:
            reply = await self.ask("POST", "/graphql", ACME, json={"query": query})
            self.seen.note(reply.body.decode())
        await self._search()

    async def _get(self, path: str) -> Any:
        reply = await self.ask("GET", path, ACME)
        text = reply.body.decode()
        self.seen.note(f"{path}: {reply.status} {reply.headers.get('ETag')} {text}")
        return reply.json

    async def _pages(self, path: str, query: str) -> None:
        """A list to its end."""
        body = await self._get(f"{path}?{query}")
        info = body.get("page_info", body)
        while info.get("has_next_page"):
            after = info["end_cursor"]
            reply = await self.ask("GET", f"{path}?{_by_place(query)}&after={after}", ACME)
            body = reply.json
            info = body.get("page_info", body)
            self.seen.note(reply.body.decode())

    async def _events(self) -> None:
        after, more = "", True
        while more:
            reply = await self.ask("GET", f"/v1/events?limit=2{after}", ACME)
            body = reply.json
            self.seen.note(reply.body.decode())
            after, more = f"&after={body['next']}", body["has_more"]

    async def _search(self) -> None:
        for word in ("A", "desk", "acme", "corp", "desk prom"):
            after, more = None, True
            while more:
                reply = await self.ask(
                    "POST",
                    "/graphql",
                    ACME,
                    json={"query": SEARCH, "variables": {"w": word, "after": after}},
                )
                found = reply.json["data"]["searchIncidents"]
                info = found["pageInfo"]
                after, more = info["endCursor"], info["hasNextPage"]
                self.seen.note(f"{word}: {json.dumps(found)}")


def _by_place(query: str) -> str:
    return query.replace("page_size=", "first=")


LISTS = (
    "page_size=2",
    "sort=UPDATED_AT&page_size=2",
    "sort=SEVERITY&order=ASC&page_size=3",
    "sort=STATE&active_only=true&page_size=2",
    "label=a:1&source=prometheus&source=desk",
    "label=tenant:corp",
    "state=RESOLVED&state=NEW&page=1&page_size=1",
    "source=desk&severity=P1&assigned_to=kim",
)
QUERIES = (
    "{ cursor health { status } me { name selectors } }",
    "{ incidentStats { total active resolved bySeverity { p0 p1 p2 p3 p4 } } }",
    '{ incidentStats(filter: {labels: {a: "1"}, sources: ["prometheus"]}) { total active } }',
    '{ incidentStats(filter: {labels: {tenant: "corp"}}) { total } }',
    "{ activeIncidents { incidents { id } pageInfo { totalCount } cursor } }",
    "{ criticalIncidents { incidents { id } pageInfo { totalCount totalPages } } }",
    """{ incidents { incidents { id version alertCount labels relatedIncidents { id title }
        alerts { id status incidentId incident { id } } comments { totalCount }
        timeline { events { description metadata cursor } totalCount } } } }""",
    "{ alerts { alerts { id status deduplicated incidentId incident { id title } } cursor } }",
)
SEARCH = """query ($w: String!, $after: String) {
    searchIncidents(query: $w, pagination: {first: 2, after: $after}) {
        incidents { id title } pageInfo { totalCount hasNextPage hasPreviousPage endCursor } } }"""
SUBSCRIPTIONS: Sequence[str] = (
    """subscription { incidentUpdates { updateType changedFields actor
        incident { id version labels alertCount } } }""",
    "subscription { newIncidents { id title } }",
    "subscription { criticalIncidents { id severity } }",
    "subscription { incidentStateChanges { incidentId oldState newState } }",
    "subscription { alerts { id status incidentId labels } }",
    """subscription { incidentUpdates(filter: {labels: {a: "1"}}) { incident { id
        relatedIncidents { id } timeline { totalCount events { description cursor } }
        comments { totalCount } alerts { id } } } }""",
    "subscription { alerts { id incident { id state } } }",
)
PREPARER = Preparer()


@asynccontextmanager
async def open_world(
    opener: Callable[[], OpenJournal], again: Served | None = None
) -> AsyncGenerator[World, None]:
    """A world on a new journal."""
    served = recovering(AUTHENTICATED) if again is None else again
    clock = [START]
    async with (
        open_system(
            opener,
            lambda journal: GraphQLProjector(_Sources(journal)),
            SystemSettings(window=600 * SECOND),
            clock=lambda: clock[0],
        ) as system,
        trio.open_nursery() as nursery,
    ):
        served.gateway.system = system
        served.gateway.phase = Phase.READY
        yield World(served, system, clock, nursery)
        nursery.cancel_scope.cancel()
