"""The bytes of one WebSocket over HTTP/2 (RFC 8441): the buffer of its stream."""

from collections.abc import Callable

from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.hypercorn_h2 import GuardedH2

__all__ = ["StreamLane"]


class StreamLane:
    """Implements :class:`incident_manager.http.websocket_writer.Lane`."""

    __slots__ = ("_protocol", "_stream")

    def __init__(self, protocol: GuardedH2, stream: int) -> None:
        self._protocol = protocol
        self._stream = stream

    @property
    def size(self) -> int:
        """Bytes that no window has let go."""
        buffer = self._buffer()
        return 0 if buffer is None else len(buffer)

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when some of what waited has left, and at the end."""
        buffer = self._buffer()
        if buffer is not None:
            buffer.on_room = progressed

    def write(self, data: bytes) -> int:
        """Send them after all that waits; no more than that where the stream has ended. The bytes
        that wait then.
        """
        self._protocol.write_nowait(self._stream, data)
        return self.size

    def abandon(self) -> None:
        """Reset the stream."""
        self._protocol.task_group.spawn(self._protocol.abandon, self._stream)

    def _buffer(self) -> BoundedBuffer | None:
        buffer = self._protocol.stream_buffers.get(self._stream)
        return buffer if isinstance(buffer, BoundedBuffer) else None
