"""Payloads kept for a while: one projection for each event and shape, whoever asks for it.

The hub makes most of them; a subscription that reads behind it finds them here, and ten
thousand that come back after a restart share one projection of each event.
"""

import trio

from incident_manager.actors.model import Record
from incident_manager.actors.ports import Projector, Shape

__all__ = ["Projections"]


class _Pending:
    """A projection that somebody is making."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = trio.Event()


class Projections:
    """A cache of at most ``capacity`` payloads and ``bytes_`` bytes; the oldest go first."""

    def __init__(
        self, projector: Projector, *, capacity: int = 4096, bytes_: int = 16 * 1024 * 1024
    ) -> None:
        self._projector = projector
        self._capacity = capacity
        self._bytes = bytes_
        self._size = 0
        self._kept: dict[tuple[int, Shape], bytes] = {}
        self._pending: dict[tuple[int, Shape], _Pending] = {}
        self.made = 0

    def flat(self, shape: Shape, record: Record, epoch: str) -> bytes:
        """The payload of a shape that is not deep."""
        key = (record.offset, shape)
        payload = self._kept.get(key)
        if payload is None:
            self.made += 1
            payload = self._projector.project(shape, record, f"{epoch}:{record.offset}")
            self._keep(key, payload)
        return payload

    async def deep(self, shape: Shape, record: Record, epoch: str) -> bytes:
        """The payload of a deep shape; who asks while it is being made waits for that one."""
        key = (record.offset, shape)
        while True:
            payload = self._kept.get(key)
            if payload is not None:
                return payload
            pending = self._pending.get(key)
            if pending is None:
                break
            await pending.done.wait()
        self.made += 1
        self._pending[key] = pending = _Pending()
        try:
            payload = await self._projector.project_deep(shape, record, f"{epoch}:{record.offset}")
            self._keep(key, payload)
        finally:
            del self._pending[key]
            pending.done.set()
        return payload

    def _keep(self, key: tuple[int, Shape], payload: bytes) -> None:
        self._kept[key] = payload
        self._size += len(payload)
        while len(self._kept) > self._capacity or self._size > self._bytes:
            oldest = next(iter(self._kept))
            self._size -= len(self._kept.pop(oldest))
