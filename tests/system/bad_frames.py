"""What is almost a frame: by its number, and the same each time."""

from collections.abc import Callable, Sequence
from random import Random

from attrs import frozen

from system.bad_messages import seed
from system.wires import frame

__all__ = ["BadFrame", "bad_frame"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10  # opcodes


@frozen
class BadFrame:
    """Bytes after which a WebSocket must end.

    ``codes`` are those that the server may close with; none where it cannot know yet that
    anything is wrong, until the client goes.
    """

    what: str
    data: bytes
    codes: tuple[int, ...]


GOOD = frame(TEXT, b'{"type":"ping"}')
BROKEN = (1002,)
NO_UTF_8 = (
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xff",
    b"ok\xc0\xaf",
    b"\xf4\x90\x80\x80",
)


def bad_frame(number: int) -> BadFrame:
    """A frame with something wrong, often after good ones."""
    dice = Random(f"frame {seed} {number}")
    bad = dice.choice(_FRAMES)(dice)
    before = b"".join(GOOD for _ in range(dice.choice([0, 0, 1, 3])))
    return BadFrame(bad.what, before + bad.data, bad.codes)


def _some(dice: Random, most: int = 100) -> bytes:
    return dice.randbytes(dice.randint(0, most)).hex().encode()


def _opcode(dice: Random) -> BadFrame:
    opcode = dice.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    return BadFrame(f"opcode {opcode}", frame(opcode, _some(dice, 50)), BROKEN)


def _reserved(dice: Random) -> BadFrame:
    bits = dice.choice([0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70])
    opcode = dice.choice([TEXT, BINARY, PING, PONG, CLOSE])
    data = b"" if opcode == CLOSE else _some(dice, 50)
    return BadFrame(f"reserved {bits:#x}", frame(opcode, data, first=0x80 | bits), BROKEN)


def _bare(dice: Random) -> BadFrame:
    opcode = dice.choice([TEXT, BINARY, PING, PONG])
    return BadFrame("unmasked", frame(opcode, _some(dice, 50), mask=None), BROKEN)


def _long_control(dice: Random) -> BadFrame:
    data = bytes(dice.choice([126, 127, 1000, 70_000]))
    return BadFrame("long control", frame(dice.choice([CLOSE, PING, PONG]), data), BROKEN)


def _split_control(dice: Random) -> BadFrame:
    opcode = dice.choice([CLOSE, PING, PONG])
    return BadFrame("fragmented control", frame(opcode, b"", first=0), BROKEN)


def _no_utf_8(dice: Random) -> BadFrame:
    data = _some(dice) + dice.choice(NO_UTF_8) + _some(dice)
    if dice.random() < 0.5:
        return BadFrame("no UTF-8", frame(TEXT, data), (1007,))
    cut = dice.randrange(len(data))
    parts = frame(TEXT, data[:cut], first=0) + frame(0, data[cut:])
    return BadFrame("no UTF-8 in fragments", parts, (1007,))


def _continuation(dice: Random) -> BadFrame:
    first = dice.choice([0, 0x80])
    return BadFrame("continuation of nothing", frame(0, _some(dice, 50), first=first), BROKEN)


def _interrupted(dice: Random) -> BadFrame:
    data = frame(TEXT, b"{", first=0) + frame(dice.choice([TEXT, BINARY]), b"}")
    return BadFrame("a message in a message", data, BROKEN)


def _wasteful(dice: Random) -> BadFrame:
    data = bytes(dice.randint(0, 125))
    return BadFrame("length not minimal", frame(BINARY, data, width=dice.choice([2, 8])), BROKEN)


def _negative(dice: Random) -> BadFrame:
    size = 2**63 + dice.randrange(2**63)
    return BadFrame("length with its highest bit", frame(BINARY, b"", size=size, width=8), BROKEN)


def _endless(dice: Random) -> BadFrame:
    size = dice.choice([2**20, 2**32, 2**62])
    return BadFrame("too large", frame(TEXT, b" " * 280_000, size=size, width=8), (1009,))


def _bad_close(dice: Random) -> BadFrame:
    code = dice.choice([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
    data = dice.choice([b"\x03", code.to_bytes(2), code.to_bytes(2) + b"why"])
    return BadFrame("bad close", frame(CLOSE, data), BROKEN)


def _bad_reason(dice: Random) -> BadFrame:
    return BadFrame(
        "close without UTF-8", frame(CLOSE, b"\x03\xe8" + dice.choice(NO_UTF_8)), (1007,)
    )


def _cut(dice: Random) -> BadFrame:
    opcode = dice.choice([TEXT, BINARY, PING, CLOSE])
    whole = frame(opcode, b"\x03\xe8" + _some(dice, 60), mask=dice.randbytes(4))
    return BadFrame("truncated", whole[: dice.randrange(1, len(whole))], ())


def _noise(dice: Random) -> BadFrame:
    return BadFrame("noise", dice.randbytes(dice.randint(1, 200)), ())


_FRAMES: Sequence[Callable[[Random], BadFrame]] = (
    _opcode, _reserved, _bare, _long_control, _split_control, _no_utf_8, _continuation,
    _interrupted, _wasteful, _negative, _endless, _bad_close, _bad_reason, _cut, _cut, _noise,
)  # fmt: skip
