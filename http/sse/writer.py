"""Where the events of one stream leave: the body of its answer."""

from typing import Final

from incident_manager.http.frame_writer import AsgiWriter

__all__ = ["EventWriter"]

_TOGETHER: Final = 64 * 1024  # bytes of events that leave in one part, where more than one waits


class EventWriter(AsgiWriter):
    """Writes events, as whole as they are, into the body of an answer."""

    __slots__ = ()

    def _part(self) -> bytes:
        """Whole events, at least one."""
        events = [self._waiting.popleft()]
        size = len(events[0])
        while self._waiting and size + len(self._waiting[0]) <= _TOGETHER:
            events.append(self._waiting.popleft())
            size += len(events[-1])
        return events[0] if len(events) == 1 else b"".join(events)

    def _said(self, part: bytes) -> dict[str, object]:
        return {"type": "http.response.body", "body": part, "more_body": True}
