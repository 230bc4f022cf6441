"""Follows the incidents of an Incident Manager, on the product's own Trio client.

Events go to standard output, the log to standard error, both as lines of JSON. See README.md for
the environment variables.
"""

import json
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar

import msgspec
import trio

from incident_manager.http.client import (
    Backoff,
    Client,
    ClientError,
    ClientEvent,
    Connected,
    Disconnected,
    Message,
    OperationFailed,
    Refused,
    TokenRenewed,
    TokenSource,
    open_client,
)

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


T = TypeVar("T")
INCIDENT = "id title severity state source assignees version createdAt updatedAt"


@dataclass(frozen=True)
class Stream(Generic[T]):
    """A subscription, and what becomes of its events: each is given once, in its order."""

    name: str
    kind: type[T]
    query: str
    handle: Callable[[str, str, T], None]
    variables: dict[str, Any] | None = None

    def read(self, message: Message) -> T:
        """The event, of its type; raises ``msgspec.ValidationError`` where it is of another."""
        return msgspec.convert((message.data or {})[self.name], self.kind)


def show(stream: str, cursor: str, event: object) -> None:
    """Your own code goes here, and one such function for each stream."""
    print(json.dumps({"stream": stream, "cursor": cursor, "data": event}), flush=True)


STREAMS: tuple[Stream[Any], ...] = (
    Stream(
        "criticalIncidents",
        Incident,
        f"subscription {{ criticalIncidents {{ {INCIDENT} }} }}",
        show,
    ),
    Stream(
        "incidentUpdates",
        IncidentUpdate,
        f"""subscription ($severities: [Severity!], $activeOnly: Boolean) {{
            incidentUpdates(
                severities: $severities, activeOnly: $activeOnly, heartbeatSeconds: 15
            ) {{
                updateType incidentId timestamp changedFields actor incident {{ {INCIDENT} }}
            }}
        }}""",
        show,
        {"severities": ["P0", "P1"], "activeOnly": True},
    ),
    Stream("newIncidents", Incident, f"subscription {{ newIncidents {{ {INCIDENT} }} }}", show),
    Stream(
        "incidentStateChanges",
        IncidentStateChange,
        f"""subscription {{
            incidentStateChanges {{
                incidentId oldState newState changedBy timestamp incident {{ {INCIDENT} }}
            }}
        }}""",
        show,
    ),
    Stream(
        "alerts",
        Alert,
        """subscription {
            alerts { id externalId source title severity status incidentId receivedAt }
        }""",
        show,
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


def on_event(event: ClientEvent) -> None:
    """What the client says of its connection, as it happens."""
    match event:
        case Connected(number=number, resumed=resumed):
            log(logging.INFO, "connected", number=number, resumed=resumed)
        case Disconnected(reason=reason, retry_in=retry_in) if reason.startswith("no token"):
            log(logging.ERROR, "no token", reason=reason, retry_in=retry_in)
        case Disconnected(code=code, reason=reason, retry_in=retry_in):
            log(logging.WARNING, "disconnected", code=code, reason=reason, retry_in=retry_in)
        case TokenRenewed(accepted=True, expires_at=expires_at):
            log(logging.INFO, "token renewed", expires_at=expires_at)
        case TokenRenewed(error=None):
            log(logging.ERROR, "token rejected", expires_at=event.expires_at)
        case TokenRenewed(error=error):
            log(logging.ERROR, "no token", reason=repr(error))


# --- the place in the stream ---------------------------------------------------------------------


class NoPlace(Exception):
    """The file of the cursors cannot be read or written."""


class Places:
    """The cursor of what has been handled of each stream; with a file it outlives this program."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._cursors: dict[str, str] = {}
        try:
            if self._path is not None and self._path.exists():
                self._cursors = msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.DecodeError) as error:
            raise NoPlace(f"CURSOR_FILE: {error}") from error

    def __len__(self) -> int:
        return len(self._cursors)

    def __getitem__(self, stream: str) -> str:
        return self._cursors[stream]

    def begin(self, stream: str, cursor: str) -> None:
        """Where a stream starts that has no place yet."""
        self.keep(stream, self._cursors.get(stream, cursor))

    def keep(self, stream: str, cursor: str) -> None:
        """The file is replaced as a whole, so that it is never half written."""
        self._cursors[stream] = cursor
        if self._path is None:
            return
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fresh.write_text(json.dumps(self._cursors))
            fresh.replace(self._path)
        except OSError as error:
            raise NoPlace(f"CURSOR_FILE: {error}") from error


def is_heartbeat(event: object) -> bool:
    """It says that all is well, and how far the server has looked; there is no event in it."""
    return isinstance(event, dict) and event.get("updateType") == "HEARTBEAT"


# --- the program ---------------------------------------------------------------------------------


def token_source() -> TokenSource | None:
    """A file is read anew at each connect and before the token in use runs out."""
    if file := os.environ.get("AUTH_TOKEN_FILE"):
        return Path(file).read_text
    return os.environ.get("AUTH_TOKEN") or None


PASSING = {"SERVICE_UNAVAILABLE", "TIMEOUT", "RATE_LIMIT_EXCEEDED"}


async def head(client: Client) -> str:
    """Where the journal is now: from there on nothing is missed."""
    backoff, failures = Backoff(), 0
    while True:
        try:
            cursor: str = (await client.execute("{ cursor }"))["cursor"]
        except OperationFailed as failed:
            if failed.code not in PASSING:
                raise
            delay = backoff.delay(failures, random.random())  # noqa: S311
            told = {"stream": "cursor", "code": failed.code, "retry_in": delay}
            log(logging.WARNING, "subscribing again", **told)
            await trio.sleep(delay)
            failures += 1
        else:
            return cursor


class Completed(Exception):
    """The server has ended a stream, which it does not do while it has all that it needs."""


async def follow(client: Client, stream: Stream[T], places: Places) -> None:
    """Follow one stream, for good, from its place; the client resumes it by itself."""
    start = places[stream.name]
    async for message in client.subscribe(stream.query, stream.variables, cursor=start):
        if message.gap is not None:  # what was known must be loaded anew
            lost = {"from": message.gap.since, "to": message.gap.until}
            log(logging.WARNING, "gap", stream=stream.name, **lost)
        if message.errors:
            log(
                logging.ERROR,
                "event with errors",
                stream=stream.name,
                cursor=message.cursor,
                errors=list(message.errors),
            )
        if message.cursor is None:
            continue
        if message.data is not None and not is_heartbeat(event := stream.read(message)):
            stream.handle(stream.name, message.cursor, event)
        places.keep(stream.name, message.cursor)
    raise Completed(f"the server completed {stream.name}")


async def run() -> None:
    url = os.environ.get("WS_URL", "ws://localhost:8080/graphql/ws")
    places = Places(os.environ.get("CURSOR_FILE"))
    async with open_client(url, token_source(), on_event=on_event) as client:
        start = await head(client)
        names, resumed = [stream.name for stream in STREAMS], len(places) > 0
        async with trio.open_nursery() as nursery:
            for stream in STREAMS:
                places.begin(stream.name, start)
                nursery.start_soon(partial(follow, client, stream, places))
            log(logging.INFO, "following", cursor=start, resumed=resumed, streams=names)


async def stop_on_signal(scope: trio.CancelScope, ready: trio.Event) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        ready.set()
        async for number in signals:
            log(logging.INFO, "stopped", signal=signal.Signals(number).name)
            scope.cancel()
            return


async def main() -> None:
    async with trio.open_nursery() as nursery:
        ready = trio.Event()
        nursery.start_soon(stop_on_signal, nursery.cancel_scope, ready)
        await ready.wait()
        await run()


def gave_up(group: BaseExceptionGroup[ClientError | NoPlace | Completed]) -> int:
    """The client raises where another try makes no sense. All streams end then, one says why."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code = error.code if isinstance(error, Refused | OperationFailed) else None
    log(logging.ERROR, "gave up", code=code, reason=str(error))
    return 1


if __name__ == "__main__":
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    status = 0
    try:
        trio.run(main)
    except* (ClientError, NoPlace, Completed) as group:
        status = gave_up(group)
    sys.exit(status)
