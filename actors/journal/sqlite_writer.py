"""The thread that changes the file. It stays, so that a write costs one change of threads each way.

With a thread of a pool for each write, half of what a short one takes is the way there and back.
"""

import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Generic, TypeVar, cast

import trio

from incident_manager.actors.journal.base import nothing

__all__ = ["Writer", "open_writer"]

_T = TypeVar("_T")

_NEARLY: Final = b"n"
_DONE: Final = b"d"
_MOST: Final = 2  # bytes that are ever there


class _Job(Generic[_T]):
    """What is to be done, and what has come of it."""

    __slots__ = ("_failure", "_result", "_work")

    def __init__(self, work: Callable[[sqlite3.Connection], _T]) -> None:
        self._work = work
        self._result: _T | None = None
        self._failure: BaseException | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        """Do it. Whatever it raises is for who has asked."""
        try:
            self._result = self._work(connection)
        except BaseException as failure:  # noqa: BLE001 -- it is raised there
            self._failure = failure

    def answer(self) -> _T:
        """What it has returned, or raised."""
        failure, self._failure = self._failure, None
        if failure is None:
            return cast(_T, self._result)
        try:
            raise failure
        finally:
            del failure  # its traceback keeps this frame


class Writer:
    """Does one thing at a time, in the order in which it was asked to. Made by
    :func:`open_writer`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._jobs = SimpleQueue[_Job[Any] | None]()  # one at a time, or the end
        self._done, self._tell = socket.socketpair()
        self._turn = trio.Lock()
        self._thread = Thread(target=self._serve, name="journal writer", daemon=True)
        self._done.setblocking(False)
        self._thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.do(self.connection)
            self._tell.send(_DONE)

    def nearly(self) -> None:
        """Said by the work, once, before it waits for the disk."""
        self._tell.send(_NEARLY)

    async def run(
        self, work: Callable[[sqlite3.Connection], _T], meanwhile: Callable[[], None] = nothing
    ) -> _T:
        """Have it done in the thread. What has begun ends, whoever is cancelled meanwhile.

        ``meanwhile`` is called where the work says that it is :meth:`nearly` done.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._turn.acquire_nowait()  # nobody else has a turn before the thread has
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            job = _Job(work)
            self._jobs.put(job)
            told = b""
            try:
                told = await self._told()
                if told == _NEARLY:
                    meanwhile()
            finally:
                while _DONE not in told:
                    told = await self._told()
            return job.answer()
        finally:
            self._turn.release()

    async def _told(self) -> bytes:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.wait_readable(self._done)
        return self._done.recv(_MOST)

    async def close(self) -> None:
        """Wait for what was asked before; nothing may be asked from now on."""
        await self._turn.acquire()
        self._jobs.put(None)
        self._thread.join()  # it has nothing to do
        self._done.close()
        self._tell.close()


@asynccontextmanager
async def open_writer(connection: sqlite3.Connection) -> AsyncIterator[Writer]:
    """The only writer by a connection, which must stay open until the end of the block."""
    writer = Writer(connection)
    try:
        yield writer
    finally:
        with trio.CancelScope(shield=True):
            await writer.close()
