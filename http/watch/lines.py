"""The screen where there is no terminal: one line for each event, as text or as JSON."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TextIO

import trio

from incident_manager.http.client import ClientEvent, Connected, Disconnected
from incident_manager.http.watch.follow import Snapshot
from incident_manager.http.watch.link_state import LinkState
from incident_manager.http.watch.model import Board, Row, Update, Wanted
from incident_manager.http.watch.words import line_of, line_of_row

__all__ = ["JsonFormat", "LineScreen", "TextFormat"]

Object = Mapping[str, Any]


class Format(Protocol):
    """What a line says."""

    def incident(self, incident: Object, cursor: str) -> str:
        """An incident that was there at the cursor."""
        ...

    def update(self, update: Object, cursor: str | None) -> str:
        """An IncidentUpdate with an incident in it."""
        ...

    def gap(self, since: str, until: str) -> str:
        """Updates that are lost."""
        ...


class TextFormat:
    """For eyes, ``grep`` and ``tee``."""

    def incident(self, incident: Object, cursor: str) -> str:
        """``12:00:09Z PRESENT P1 NEW title [source] id``."""
        del cursor
        return line_of_row(Row.read(incident))

    def update(self, update: Object, cursor: str | None) -> str:
        """``12:00:09Z CREATED P1 NEW title [source] id by actor``."""
        del cursor
        read = Update.read(update)
        return "" if read is None else line_of(read)

    def gap(self, since: str, until: str) -> str:
        """A line that stands out."""
        return f"--- the updates from {since} to {until} are lost ---"


class JsonFormat:
    """For programs: an object a line, in ASCII; its ``kind`` says what it is."""

    def incident(self, incident: Object, cursor: str) -> str:
        """``{"kind": "incident", "cursor": ..., "incident": {...}}``."""
        return json.dumps({"kind": "incident", "cursor": cursor, "incident": incident})

    def update(self, update: Object, cursor: str | None) -> str:
        """``{"kind": "update", "cursor": ..., "updateType": ..., "incident": {...}, ...}``."""
        return json.dumps({"kind": "update", "cursor": cursor, **update})

    def gap(self, since: str, until: str) -> str:
        """``{"kind": "gap", "from": ..., "to": ...}``."""
        return json.dumps({"kind": "gap", "from": since, "to": until})


class LineScreen:
    """Writes what there is at first, oldest first, then every update that is news.

    How the connection does goes to ``err``.
    """

    def __init__(self, wanted: Wanted, form: Format, out: TextIO, err: TextIO) -> None:
        self._board = Board(wanted)
        self._form = form
        self._out = out
        self._err = err
        self._link = LinkState()

    def connection(self, event: ClientEvent) -> None:
        """The connection has come or gone."""
        if isinstance(event, Connected | Disconnected):
            now = time.time()
            self._link = self._link.after(event, now)
            self._err.write(f"incident-manager: {self._link.line(now)}\n")
            self._err.flush()

    async def snapshot(self, snapshot: Snapshot) -> None:
        """All incidents there are."""
        self._board = self._board.load(map(Row.read, snapshot.incidents), more=snapshot.more)
        oldest_first = reversed(snapshot.incidents)
        await self._write(
            self._form.incident(incident, snapshot.cursor)
            for incident in oldest_first
            if incident["id"] in self._board.rows
        )

    async def update(self, update: Object, cursor: str | None) -> None:
        """One update."""
        read = Update.read(update)
        if read is None:
            return
        now = time.time()
        board = self._board.settle(now).apply(read, now)
        if board is not self._board:
            self._board = board
            await self._write([self._form.update(update, cursor)])

    async def gap(self, since: str, until: str) -> None:
        """Some updates are lost."""
        await self._write([self._form.gap(since, until)])

    async def _write(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        # A reader that stands still (less, a stopped terminal) must not stop Ctrl-C.
        await trio.to_thread.run_sync(self._put, text, abandon_on_cancel=True)

    def _put(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
