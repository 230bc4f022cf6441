"""The state of one connection of HTTP/2, as ``h2`` keeps it, within bounds."""

from collections.abc import Iterable, Iterator
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from incident_manager.http.h2_budget import REFUND, Budget, price
from incident_manager.http.h2_frames import END_HEADERS, FrameHeads, Head, Kind

__all__ = ["State", "TooMuchError", "parts"]

_HARD_LIMIT: Final = 4  # times the streams announced: the client may not have read our settings
_SETTINGS: Final = 32  # kinds of settings that a client may have; about ten are registered
_TABLE: Final = 4096  # bytes of HPACK's table for what we send, whatever the client would have
_SIZE_CHANGES: Final = 32  # of that table, between two answers
_TOGETHER: Final = 16  # frames handled before others get their turn


class TooMuchError(h2.exceptions.ProtocolError):
    """The client asks for more than it may: the connection ends (RFC 9113, section 10.5)."""

    error_code = h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


class _Connection(h2.connection.H2Connection):
    MAX_CLOSED_STREAMS = 1024  # 65536 in h2, which are megabytes


class State:
    """``h2``'s state machine, its limits, and the client's budget.

    ``connection`` is the machine itself.
    """

    __slots__ = ("_block", "_header_bytes", "_heads", "budget", "connection")

    def __init__(self, streams: int, header_bytes: int, now: float) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.connection = _Connection(config)
        self.connection.local_settings = _settings(streams, header_bytes)
        self.budget = Budget(now)
        self._heads = FrameHeads()
        self._header_bytes = header_bytes
        self._block = 0

    def announced(self) -> None:
        """Our settings have been sent. From now on some more streams than they say are let pass,
        so that they can be refused one by one: ``h2`` would end the connection.
        """
        settings = self.connection.local_settings
        hard = settings.max_concurrent_streams * _HARD_LIMIT
        self.connection.local_settings = _settings(hard, self._header_bytes)

    def heads(self, data: bytes) -> Iterator[Head]:
        """The frames that begin in these bytes. Must be used up, if the connection goes on."""
        return self._heads.feed(data)

    def charge(self, heads: list[Head], now: float) -> None:
        """Have the client pay for frames, before anything is done about them.

        Raises:
            TooMuchError: they are more than it may send.
            h2.exceptions.FrameTooLargeError: one is larger than it may be; ``h2`` would say so
                when it has kept it all.
        """
        for head in heads:
            if head.length > self.connection.max_inbound_frame_size:
                raise h2.exceptions.FrameTooLargeError(f"a frame of {head.length} bytes")
            if head.kind == Kind.HEADERS:
                self._block = 0
            if head.kind in (Kind.HEADERS, Kind.CONTINUATION):
                self._block += head.length
                if self._block > self._header_bytes and not head.flags & END_HEADERS:
                    raise TooMuchError("a block of headers without end")
        self.pay(sum(price(head) for head in heads), now)

    def pay(self, tokens: float, now: float) -> None:
        """Have the client pay. Raises TooMuchError if it cannot."""
        if not self.budget.spend(tokens, now):
            raise TooMuchError("more frames than the connection is good for")

    def proved(self) -> None:
        """DATA or HEADERS were of use."""
        self.budget.earn(REFUND)

    def settings_changed(self) -> None:
        """The client has changed its settings. Raises TooMuchError where it has too many."""
        connection = self.connection
        encoder = connection.encoder
        if encoder.header_table_size > _TABLE:
            encoder.header_table_size = _TABLE
        changes = [min(each, _TABLE) for each in encoder.table_size_changes]
        encoder.table_size_changes = changes
        if len(connection.remote_settings) > _SETTINGS or len(changes) > _SIZE_CHANGES:
            raise TooMuchError("more settings than there are")

    def end(self, error: h2.exceptions.ProtocolError) -> None:
        """Have the connection end by GOAWAY, if it has not."""
        if self.connection.state_machine.state is not h2.connection.ConnectionState.CLOSED:
            self.connection.close_connection(error.error_code)

    def goodbye(self) -> bytes:
        """A GOAWAY after which the streams there are go on; that of ``h2`` would end them all."""
        last = self.connection.highest_inbound_stream_id
        return GoAwayFrame(0, last_stream_id=last).serialize()


def _settings(streams: int, header_bytes: int) -> Settings:
    values = {
        SettingCodes.MAX_CONCURRENT_STREAMS: streams,
        SettingCodes.MAX_HEADER_LIST_SIZE: header_bytes,
        SettingCodes.ENABLE_CONNECT_PROTOCOL: 1,
    }
    return Settings(client=False, initial_values=values)


def parts(data: bytes, heads: Iterable[Head]) -> Iterator[tuple[bytes, list[Head]]]:
    """Bytes cut so that no part has more than a few frames, each with the heads found in it."""
    start = 0
    some: list[Head] = []
    for head in heads:
        if len(some) == _TOGETHER:
            end = some[-1].end
            yield data[start:end], some
            start, some = end, []
        some.append(head)
    yield data[start:], some
