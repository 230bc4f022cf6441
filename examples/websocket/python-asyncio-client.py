"""Follows the incidents of an Incident Manager from asyncio, on gql and websockets.

Events go to standard output, the log to standard error, both as lines of JSON. See README.md for
the environment variables.
"""

import asyncio
import base64
import binascii
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed, InvalidStatus

# --- what is followed ----------------------------------------------------------------------------


class Incident(TypedDict):
    id: str
    title: str
    severity: str
    state: str
    source: str
    assignees: list[str]
    version: int
    createdAt: str
    updatedAt: str


class IncidentUpdate(TypedDict):
    updateType: str
    incidentId: str | None
    timestamp: str
    changedFields: list[str]
    actor: str | None
    incident: Incident | None


class IncidentStateChange(TypedDict):
    incidentId: str
    oldState: str
    newState: str
    changedBy: str
    timestamp: str
    incident: Incident


class Alert(TypedDict):
    id: str
    externalId: str
    source: str
    title: str
    severity: str
    status: str
    incidentId: str | None
    receivedAt: str


def show(stream: str, cursor: str, event: object) -> None:
    print(json.dumps({"stream": stream, "cursor": cursor, "data": event}), flush=True)


# Your own code goes into these five. An event is given once, in the order of its stream.


def on_critical_incident(cursor: str, event: Incident) -> None:
    show("criticalIncidents", cursor, event)


def on_incident_update(cursor: str, event: IncidentUpdate) -> None:
    show("incidentUpdates", cursor, event)


def on_new_incident(cursor: str, event: Incident) -> None:
    show("newIncidents", cursor, event)


def on_state_change(cursor: str, event: IncidentStateChange) -> None:
    show("incidentStateChanges", cursor, event)


def on_alert(cursor: str, event: Alert) -> None:
    show("alerts", cursor, event)


@dataclass
class Stream:
    """A subscription, and its place: the cursor of the last event that has been handled."""

    name: str
    query: str
    handle: Callable[[str, Any], None]
    variables: dict[str, Any] = field(default_factory=dict)
    cursor: str = ""


INCIDENT = "id title severity state source assignees version createdAt updatedAt"
STREAMS = (
    Stream(
        "criticalIncidents",
        f"subscription {{ criticalIncidents {{ {INCIDENT} }} }}",
        on_critical_incident,
    ),
    Stream(
        "incidentUpdates",
        f"""subscription ($severities: [Severity!], $activeOnly: Boolean) {{
            incidentUpdates(
                severities: $severities, activeOnly: $activeOnly, heartbeatSeconds: 15
            ) {{
                updateType incidentId timestamp changedFields actor incident {{ {INCIDENT} }}
            }}
        }}""",
        on_incident_update,
        {"severities": ["P0", "P1"], "activeOnly": True},
    ),
    Stream(
        "newIncidents",
        f"subscription {{ newIncidents {{ {INCIDENT} }} }}",
        on_new_incident,
    ),
    Stream(
        "incidentStateChanges",
        f"""subscription {{
            incidentStateChanges {{
                incidentId oldState newState changedBy timestamp incident {{ {INCIDENT} }}
            }}
        }}""",
        on_state_change,
    ),
    Stream(
        "alerts",
        """subscription {
            alerts { id externalId source title severity status incidentId receivedAt }
        }""",
        on_alert,
    ),
)

# --- the log -------------------------------------------------------------------------------------


class JsonLines(logging.Formatter):
    """An entry as one line: its time, level and message, and what is in ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


logger = logging.getLogger("incidents")


def log(level: int, message: str, **fields: object) -> None:
    logger.log(level, message, extra={"fields": fields})


# --- the token -----------------------------------------------------------------------------------


class NoToken(Exception):
    """There is a file for the token, but nothing to be read from it just now."""


def read_token() -> str | None:
    """The token of this moment: the file is read anew, as whoever renews it rewrites it."""
    if file := os.environ.get("AUTH_TOKEN_FILE"):
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            raise NoToken(str(error)) from error
    return os.environ.get("AUTH_TOKEN", "").strip() or None


def expiry_of(token: str) -> float | None:
    """When a JWT ends, seconds since 1970; the server is the one to check the rest."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return None  # no JWT
    found = claims.get("exp") if isinstance(claims, dict) else None
    return float(found) if isinstance(found, int | float) else None


def renew_in(left: float) -> float:
    """Seconds to wait: until a fifth of the time before the end, at most a minute."""
    return max(0.0, left - min(60.0, left / 5))


async def keep_token_good(transport: WebsocketsTransport, expires_at: float | None) -> None:
    """Offer the server a new token before the old one ends; the connection lives on."""
    while expires_at is not None and (left := expires_at - time.time()) > 0.1:
        await asyncio.sleep(renew_in(left))
        try:
            token = read_token()
        except NoToken as error:
            log(logging.ERROR, "no token", reason=str(error))
            continue
        transport.pong_received.clear()
        await transport.send_ping({"authorization": f"Bearer {token}"})
        await transport.pong_received.wait()
        answer = transport.payloads.get("pong") or {}
        if (end := answer.get("expiresAt")) is not None:
            expires_at = datetime.fromisoformat(end).timestamp()
        if answer.get("authorization") == "accepted":
            log(logging.INFO, "token renewed", expires_at=end)
        else:
            log(logging.ERROR, "token rejected", expires_at=end)


# --- the subscriptions ---------------------------------------------------------------------------

PASSING = {"SERVICE_UNAVAILABLE", "TIMEOUT", "RATE_LIMIT_EXCEEDED"}


def read_places() -> None:
    """Go on where an earlier run of this program has been, if there is a file that says so."""
    if not (file := os.environ.get("CURSOR_FILE")) or not Path(file).exists():
        return
    try:
        found = json.loads(Path(file).read_text())
        for stream in STREAMS:
            stream.cursor = str(found.get(stream.name, ""))
    except (OSError, ValueError, AttributeError) as error:
        raise GaveUp(None, f"CURSOR_FILE: {error}") from error


def keep_places() -> None:
    """The file is replaced as a whole, so that it is never half written."""
    if not (file := os.environ.get("CURSOR_FILE")):
        return
    fresh = Path(f"{file}.new")
    try:
        fresh.write_text(json.dumps({stream.name: stream.cursor for stream in STREAMS}))
        fresh.replace(file)
    except OSError as error:
        raise GaveUp(None, f"CURSOR_FILE: {error}") from error


def is_heartbeat(event: dict[str, Any]) -> bool:
    """It says that all is well, and how far the server has looked; there is no event in it."""
    return event.get("updateType") == "HEARTBEAT"


def is_repeat(cursor: str, seen: str) -> bool:
    """Whether ``cursor`` is at or before ``seen``: such an event has been handled already."""
    epoch, _, offset = cursor.partition(":")
    seen_epoch, _, seen_offset = seen.partition(":")
    return epoch == seen_epoch and int(offset) <= int(seen_offset)


async def follow(session: AsyncClientSession, stream: Stream) -> None:
    """Follow one stream from its cursor, until the connection is lost."""
    request = GraphQLRequest(
        stream.query,
        variable_values=stream.variables,
        extensions={"cursor": stream.cursor},
    )
    async for result in session.subscribe(request, get_execution_result=True):
        said = result.extensions or {}
        cursor, gap = said.get("cursor"), said.get("gap")
        if gap:  # what was known must be loaded anew
            log(
                logging.WARNING, "gap", stream=stream.name, **{"from": gap["from"], "to": gap["to"]}
            )
        if cursor is None or (not gap and is_repeat(cursor, stream.cursor)):
            continue
        if result.errors:
            errors = [str(error) for error in result.errors]
            log(logging.ERROR, "event with errors", stream=stream.name, errors=errors)
        if result.data and not is_heartbeat(event := result.data[stream.name]):
            try:
                stream.handle(cursor, event)
            except Exception as error:  # your own code: with the same event it would fail again
                raise GaveUp(None, f"the handler of {stream.name}: {error!r}") from error
        stream.cursor = cursor
        keep_places()
    raise GaveUp(None, f"the server completed {stream.name}")


async def tell_of_gaps(transport: WebsocketsTransport) -> None:
    """A gap is told at once by a ping, as the next event may be long in coming."""
    while True:
        await transport.ping_received.wait()
        transport.ping_received.clear()
        payload = transport.payloads.get("ping") or {}
        if "gap" in payload:
            log(logging.WARNING, "gap", **payload)


# --- the connection ------------------------------------------------------------------------------

FATAL_CLOSES = {1002, 1003, 1007, 1008, 1009, 1010, 1011, 4400, 4401, 4406, 4409, 4429, 4500}
PASSING_STATUSES = {408, 425, 429, 500, 502, 503, 504}
FIRST_WAIT, LONGEST_WAIT, STABLE = 0.25, 10.0, 5.0


class GaveUp(Exception):
    """Another try makes no sense."""

    def __init__(self, code: object, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Loss:
    """Why there is no connection: a close code, an HTTP status, or neither."""

    code: int | None
    reason: str
    fatal: bool


def loss_of(error: BaseException) -> Loss:
    """Look for what is at the bottom of an error, or of several at once."""
    seen: list[BaseException] = [error]
    for each in seen:  # grows as it goes
        if isinstance(each, BaseExceptionGroup):
            seen += each.exceptions
        match each:
            case GaveUp():
                raise each
            case TransportQueryError(errors=[{"extensions": {"code": str(code)}, **rest}, *_]):
                if code not in PASSING:
                    raise GaveUp(code, str(rest.get("message")))
            case ConnectionClosed(rcvd=close) if close is not None:
                return Loss(close.code, close.reason, close.code in FATAL_CLOSES)
            case InvalidStatus(response=response):
                status = response.status_code
                text = f"the server answered {status}"
                return Loss(status, text, status not in PASSING_STATUSES)
            case _:
                pass
        seen += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
    return Loss(None, str(seen[-1]) or type(seen[-1]).__name__, fatal=False)


@dataclass
class Tally:
    """What is remembered from one connection to the next."""

    connections: int = 0
    failures: int = 0
    refusals: int = 0
    since: float | None = None
    following: bool = False

    def connected(self) -> None:
        self.connections, self.refusals, self.since = self.connections + 1, 0, time.monotonic()
        log(logging.INFO, "connected", number=self.connections)

    def lost(self, loss: Loss) -> float:
        """Note a loss; the seconds to wait, by an exponential backoff with full jitter."""
        if self.since is not None and time.monotonic() - self.since >= STABLE:
            self.failures = 0
        if loss.code == 4403 and self.since is None:
            self.refusals += 1
        self.since = None
        if loss.fatal or self.refusals > 1:
            raise GaveUp(loss.code, loss.reason)
        delay = random.random() * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self.failures, 30))  # noqa: S311
        self.failures += 1
        return delay


async def begin(session: AsyncClientSession) -> None:
    """Ask where the journal is now: from there on nothing is missed."""
    data = await session.execute(GraphQLRequest("{ cursor }"))
    resumed = any(stream.cursor for stream in STREAMS)
    for stream in STREAMS:
        stream.cursor = stream.cursor or data["cursor"]
    keep_places()
    names = [stream.name for stream in STREAMS]
    log(logging.INFO, "following", cursor=data["cursor"], resumed=resumed, streams=names)


async def connected(url: str, tally: Tally) -> None:
    """One connection, from its beginning to its end; always raises."""
    token = read_token()
    transport = WebsocketsTransport(
        url,
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        init_payload={} if token is None else {"Authorization": f"Bearer {token}"},
        close_timeout=2,
        connect_args={"max_size": 16 * 1024 * 1024, "ping_interval": 15, "ping_timeout": 10},
    )
    client = Client(transport=transport, fetch_schema_from_transport=False)
    async with client as session:
        tally.connected()
        if not tally.following:
            await begin(session)
            tally.following = True
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(tell_of_gaps(transport))
            if token is not None and "AUTH_TOKEN_FILE" in os.environ:
                tasks.create_task(keep_token_good(transport, expiry_of(token)))
            for stream in STREAMS:
                tasks.create_task(follow(session, stream))


async def stay_connected(url: str) -> None:
    """Connect again and again; ends by :class:`GaveUp`."""
    tally = Tally()
    read_places()
    while True:
        try:
            await connected(url, tally)
        except NoToken as error:
            message, loss = "no token", Loss(None, str(error), fatal=False)
        except (TransportError, OSError, TimeoutError, ExceptionGroup) as error:
            message, loss = "disconnected", loss_of(error)
        delay = tally.lost(loss)
        log(logging.WARNING, message, code=loss.code, reason=loss.reason, retry_in=delay)
        await asyncio.sleep(delay)


async def until_signal(program: Awaitable[None]) -> int:
    """Run the program until SIGINT or SIGTERM; the exit status."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    working = asyncio.ensure_future(program)
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.is_set():
        working.cancel()
        await asyncio.wait({working})
        log(logging.INFO, "stopped")
        return 0
    waiting.cancel()
    try:
        working.result()
    except GaveUp as error:
        log(logging.ERROR, "gave up", code=error.code, reason=str(error))
    return 1


if __name__ == "__main__":
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for library in ("gql", "websockets"):
        logging.getLogger(library).setLevel(logging.WARNING)
    url = os.environ.get("WS_URL", "ws://localhost:8080/graphql/ws")
    sys.exit(asyncio.run(until_signal(stay_connected(url))))
