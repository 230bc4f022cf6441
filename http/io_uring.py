"""Linux's io_uring: many writes to many sockets in one system call (io_uring(7)).

Only what is needed of it, by its stable interface (``linux/io_uring.h``). A ring is memory shared
with the kernel: what is asked for is put into one queue, how it went is found in another. The
kernel reads the first within the system call that follows the stores to it. It may write to the
other at any time, and no load of ours must be served before an earlier one: x86-64 keeps that
order, so there is no ring elsewhere.
"""

import ctypes
import mmap
import os
import platform
import struct
import sys
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

__all__ = ["BELL", "Ring", "RingUnavailable"]

_SETUP, _ENTER, _REGISTER = 425, 426, 427  # system calls
_NEEDED: Final = 0b11  # IORING_FEAT_SINGLE_MMAP, IORING_FEAT_NODROP
_GETEVENTS: Final = 1  # IORING_ENTER_GETEVENTS
_MAX_WORKERS: Final = 19  # IORING_REGISTER_IOWQ_MAX_WORKERS: Linux 5.15
_ENTRIES_AT: Final = 0x10000000  # IORING_OFF_SQES
_WRITE, _SEND = 23, 26  # IORING_OP_WRITE, IORING_OP_SEND
_ASYNC: Final = 1 << 4  # IOSQE_ASYNC
_FLAGS: Final = 0x4040  # MSG_DONTWAIT, MSG_NOSIGNAL
_PARAMS: Final = struct.Struct("=10I8IQ8IQ")  # struct io_uring_params
_ENTRY: Final = struct.Struct("=BBHiQQIIQ24x")  # struct io_uring_sqe
_DONE: Final = struct.Struct("=QiI")  # struct io_uring_cqe
_ONE: Final = (1).to_bytes(8, sys.byteorder)
BELL: Final = 0
"""The token of what rings the bell; those of what is sent are others."""


class RingUnavailable(Exception):
    """The system has none, or does not let this process have it."""


class Ring:
    """One ring, for one thread: :meth:`send`, then :meth:`submit`, then :meth:`completed`.

    What is sent ``apart`` is written by one thread of the kernel's, beside the caller, and all else
    during :meth:`submit`. ``capacity`` is how many may be under way, ``most`` how many may be sent
    between two :meth:`submit`: the caller keeps to both. ``bell`` is a file that becomes readable
    when what was sent before :meth:`call` is done.
    """

    def __init__(self, entries: int = 1024) -> None:
        """Raises :class:`RingUnavailable`."""
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise RingUnavailable("there is none on this platform")
        library = ctypes.CDLL(None, use_errno=True)
        self._syscall = library.syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = [ctypes.c_long] * 7
        self._held = ctypes.c_char_p(_ONE)  # what is sent; to ask where it lies
        self._place = ctypes.c_size_t.from_buffer(self._held)
        self._one = self._place.value
        self._open = ExitStack()
        with ExitStack() as undo:
            undo.callback(self._open.close)
            try:
                self._set_up(entries)
            except OSError as refused:
                raise RingUnavailable(str(refused)) from refused
            undo.pop_all()

    def _set_up(self, entries: int) -> None:
        asked = ctypes.create_string_buffer(_PARAMS.size)
        self._fd = self._call(_SETUP, entries, ctypes.addressof(asked))
        self._open.callback(os.close, self._fd)
        given = _PARAMS.unpack(asked.raw)
        if ~given[5] & _NEEDED:
            raise RingUnavailable("the kernel is too old")
        workers = (ctypes.c_uint32 * 2)(1, 1)
        self._call(_REGISTER, self._fd, _MAX_WORKERS, ctypes.addressof(workers), 2)
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._open.callback(os.close, self.bell)
        self._entries, self.capacity = given[0], given[1]
        self.most = self._entries - 1  # and the call
        _, tail, _, _, _, _, order, _, _ = given[10:19]
        head, done, _, _, _, results, _, _, _ = given[19:28]
        size = max(order + 4 * self._entries, results + _DONE.size * self.capacity)
        shared = self._shared(size, 0)
        self._queue = self._shared(_ENTRY.size * self._entries, _ENTRIES_AT)
        self._entry_words = self._viewed(self._queue.cast("Q"))
        done_bytes = self._viewed(shared[results : results + _DONE.size * self.capacity])
        self._done_tokens = self._viewed(done_bytes.cast("Q"))
        self._done_results = self._viewed(done_bytes.cast("i"))
        self._words = self._viewed(shared.cast("I"))
        for each in range(self._entries):
            self._words[order // 4 + each] = each
        self._tail_at, self._head_at, self._done_at = tail // 4, head // 4, done // 4
        self._tail, self._head = self._words[self._tail_at], self._words[self._head_at]
        self._new = 0

    def _shared(self, size: int, offset: int) -> memoryview:
        memory = mmap.mmap(self._fd, size, mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=offset)
        self._open.callback(memory.close)
        return self._viewed(memoryview(memory))

    def _viewed(self, view: memoryview) -> memoryview:
        self._open.callback(view.release)
        return view

    def _call(self, number: int, *arguments: int) -> int:
        result: int = self._syscall(number, *arguments, *(0,) * (6 - len(arguments)))
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give it back. What is under way must be done."""
        self._open.close()

    def send(self, token: int, sends: Sequence[tuple[int, bytes]], apart: int) -> None:
        """Have data sent to sockets (by their descriptors), each with the next token from ``token``
        on, the first ``apart`` of them apart. At most ``most`` between two :meth:`submit`. The data
        must live until that is done.
        """
        pack, queue, held, place_of = _ENTRY.pack_into, self._queue, self._held, self._place
        entry = self._tail % self._entries
        last, place = b"", 0
        for descriptor, data in sends:
            if data is not last:
                held.value = last = data
                place = place_of.value
            flags = _ASYNC if apart > 0 else 0
            at = _ENTRY.size * entry
            pack(queue, at, _SEND, flags, 0, descriptor, 0, place, len(data), _FLAGS, token)
            entry = (entry + 1) % self._entries
            token += 1
            apart -= 1
        self._put(len(sends))

    @staticmethod
    def head(descriptor: int) -> int:
        """How :meth:`spread` has a socket: the first eight bytes of an entry."""
        return _SEND | (descriptor & 0xFFFFFFFF) << 32

    def place(self, data: bytes) -> int:
        """Where it lies, as long as it lives."""
        self._held.value = data
        return self._place.value

    def spread(
        self, token: int, heads: "array[int]", places: Sequence[int], size: int, apart: int
    ) -> None:
        """Have ``size`` bytes sent to each of some sockets, as :meth:`send` does, from these places
        of memory.
        """
        count = len(heads)
        if apart:
            heads = array("Q", [head | _ASYNC << 8 for head in heads[:apart]]) + heads[apart:]
        where = array("Q", places)
        lengths = array("Q", [size | _FLAGS << 32]) * count
        tokens = array("Q", range(token, token + count))
        entry = self._tail % self._entries
        first = min(count, self._entries - entry)
        for at, begin, end in ((entry, 0, first), (0, first, count)):
            if begin == end:
                continue
            base, stop = 8 * at, 8 * (at + end - begin)
            for column, words in ((0, heads), (2, where), (3, lengths), (4, tokens)):
                self._entry_words[base + column : stop : 8] = words[begin:end]
        self._put(count)

    def call(self) -> None:
        """Have the bell rung when what was sent apart is done."""
        at = _ENTRY.size * (self._tail % self._entries)
        size = len(_ONE)
        _ENTRY.pack_into(self._queue, at, _WRITE, _ASYNC, 0, self.bell, 0, self._one, size, 0, BELL)
        self._put(1)

    def _put(self, count: int) -> None:
        self._tail = (self._tail + count) % 2**32
        self._new += count

    def submit(self, *, wait: bool = False) -> int:
        """Hand over what was put in, and with ``wait`` wait until something is done.

        How many the kernel did not take: the last ones, which will not be done.
        """
        self._words[self._tail_at] = self._tail
        flags = _GETEVENTS if wait else 0
        while self._new or wait:
            try:
                taken = self._call(_ENTER, self._fd, self._new, int(wait), flags)
            except InterruptedError:
                continue
            except OSError:  # it has no memory for more
                break
            self._new -= taken
            wait = False
        left = self._new
        self._new = 0
        self._tail = (self._tail - left) % 2**32
        self._words[self._tail_at] = self._tail
        return left

    def completed(self) -> tuple[list[int], list[int]]:
        """What is done since it was asked last: tokens, and for each its result (bytes taken, or
        -errno).
        """
        head, tail = self._head, self._words[self._done_at]
        tokens: list[int] = []
        results: list[int] = []
        if head == tail:
            return tokens, results
        first, end = head % self.capacity, tail % self.capacity
        for begin, stop in ((first, end),) if first < end else ((first, self.capacity), (0, end)):
            tokens += self._done_tokens[2 * begin : 2 * stop : 2].tolist()
            results += self._done_results[4 * begin + 2 : 4 * stop : 4].tolist()
        self._head = self._words[self._head_at] = tail
        return tokens, results
