"""What is almost a message: by its number, and the same each time."""

import json
import os
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

__all__ = ["bad_message", "seed"]

seed = int(os.environ.get("LIM_TEST_FUZZ_SEED", "1"))
"""What all of them follow from."""

TEXT, BINARY = 1, 2  # opcodes

QUERIES = (
    "subscription{newIncidents{title}}",
    "subscription($s:[Severity!]){incidentUpdates(severities:$s){incident{id title} updateType}}",
    "subscription{alerts{title labels}}",
    "{incidents(first:3){edges{cursor node{id title}}}}",
    "query Q($id:UUID!){incident(id:$id){title ...F}} fragment F on Incident{id state}",
    "{cursor health{status}}",
    "mutation($i:SubmitAlertInput!){submitAlert(input:$i){alertId status}}",
    "{__schema{types{name}}}",
)
VARIABLES: tuple[Any, ...] = (
    None,
    {"s": ["P0"]},
    {"id": "00000000-0000-4000-8000-000000000000"},
    {"i": {"source": "f", "title": "fuzz", "description": "d", "severity": "P2"}},
)
TYPES = (
    "connection_init", "connection_ack", "ping", "pong", "subscribe", "next", "error", "complete",
    "connection_terminate", "start", "stop", "ka", "data", "SUBSCRIBE", "subscribe\0", "", "🦊",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**30, "", "x", [], {}, [None], [[]], {"": {}}, "\0", "🦊",
    "\ud800", "x" * 5000, {"Authorization": 7}, {"authorization": "Bearer x"},
)  # fmt: skip
CURSORS = ("", ":", "x:1", "1", "e:-1", "e:99999999999999999999", "e:01", "é:1", "e:1\n", None, 7)
WORDS = ("{", "}", "(", ")", "$", "...", "@skip(if:true)", "@", "!", '"', '"""', "#", "on", "&",
         "\0", "\ufeff", "é", "__typename", "fragment A on Incident{...A}", "-", "1e400", ":",
         "[", "]", "=", "|", "\\u{110000}", "a:")  # fmt: skip


def _valid(dice: Random) -> dict[str, Any]:
    match dice.randrange(8):
        case 0:
            return {"type": "connection_init", "payload": {"Authorization": "Bearer x"}}
        case 1:
            return {"type": dice.choice(["ping", "pong"]), "payload": {"a": [1, {"b": None}]}}
        case 2:
            return {"type": "complete", "id": dice.choice("abc")}
    payload: dict[str, Any] = {"query": dice.choice(QUERIES)}
    if dice.random() < 0.6:
        payload["variables"] = deepcopy(dice.choice(VARIABLES))
    if dice.random() < 0.3:
        payload["operationName"] = dice.choice(["Q", "", "x", None])
    if dice.random() < 0.3:
        payload["extensions"] = {"cursor": dice.choice(CURSORS)}
    return {"type": "subscribe", "id": str(dice.random()), "payload": payload}


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of every object and list: the container, and the key."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in list(pairs):
            found += [(value, key), *_places(inner)]
    return found


def _drop(dice: Random, message: dict[str, Any]) -> bytes:
    container, key = dice.choice(_places(message))
    del container[key]
    return _dump(message)


def _odd(dice: Random, message: dict[str, Any]) -> bytes:
    for _ in range(dice.randint(1, 2)):
        container, key = dice.choice(_places(message))
        container[key] = deepcopy(dice.choice(ODD))
    return _dump(message)


def _type(dice: Random, message: dict[str, Any]) -> bytes:
    message["type"] = dice.choice(TYPES)
    return _dump(message)


def _deep(dice: Random, message: dict[str, Any]) -> bytes:
    container, key = dice.choice(_places(message))
    container[key] = "@"
    depth = dice.choice([10, 61, 62, 63, 64, 65, 100, 1000, 20_000])
    opened, shut = dice.choice([("[", "]"), ('{"a":', "}")])
    inner = opened * depth + "1" + shut * dice.choice([depth, depth, depth - 1, 0])
    return _dump(message).replace(b'"@"', inner.encode(), 1)


def _id(dice: Random, message: dict[str, Any]) -> bytes:
    size = dice.choice([1, 256, 10_000, 100_000, 262_000, 300_000])
    message["id"] = dice.choice("x\0é\u2028🦊")[:1] * (size // 4 + 1)
    return _dump(message)


def _number(dice: Random, message: dict[str, Any]) -> bytes:
    container, key = dice.choice(_places(message))
    container[key] = "@"
    number = dice.choice(
        ["NaN", "Infinity", "-Infinity", "1e999", "-0", "01", "1.", ".5", "0x1", "9" * 400,
         "1e-400", "+1", "--1", "1_0", "Null", "True", "undefined"]
    )  # fmt: skip
    return _dump(message).replace(b'"@"', number.encode(), 1)


def _twice(dice: Random, message: dict[str, Any]) -> bytes:
    key = dice.choice(list(message))
    again = f"{json.dumps(key)}:{json.dumps(dice.choice(ODD))}"
    text = _dump(message).decode()
    return (f"{text[:-1]},{again}}}" if dice.random() < 0.5 else f"{{{again},{text[1:]}").encode()


def _document(dice: Random, message: dict[str, Any]) -> bytes:
    query = message.get("payload", {}).get("query", dice.choice(QUERIES))
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(query) + 1)
        query = query[:place] + dice.choice(WORDS) + query[place + dice.randrange(3) :]
    if dice.random() < 0.1:
        query = query * dice.randint(10, 300)
    if dice.random() < 0.05:
        query = "{a" * dice.choice([20, 500, 5000])
    return _dump({"type": "subscribe", "id": str(dice.random()), "payload": {"query": query}})


def _bytes(dice: Random, message: dict[str, Any]) -> bytes:
    data = bytearray(_dump(message))
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0:
                data[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del data[place : place + dice.randint(1, 8)]
            case 2:
                data[place:place] = dice.randbytes(dice.randint(1, 4))
            case 3:
                data[place:place] = dice.choice(
                    [b'\\ud800', b"\\u0000", b"\xed\xa0\x80", b"\xc0\xaf", b"\\x", b"//", b",,"]
                )  # fmt: skip
    return bytes(data)


def _none(dice: Random, message: dict[str, Any]) -> bytes:
    return dice.choice(
        [b"", b" ", b"null", b"[]", b"1", b'"subscribe"', b"\xef\xbb\xbf" + _dump(message),
         _dump(message) + b"x", b"[" + _dump(message) + b"]", _dump(message) * 2, b"\0",
         dice.randbytes(dice.randint(1, 300)), b"[" * 100_000, b'{"a":' * 40_000]
    )  # fmt: skip


def _dump(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


_CHANGES: Sequence[Callable[[Random, dict[str, Any]], bytes]] = (
    _drop, _odd, _odd, _type, _deep, _id, _number, _twice, _document, _document, _document,
    _bytes, _bytes, _none,
)  # fmt: skip


def bad_message(number: int) -> tuple[int, bytes]:
    """A message of the protocol with something wrong: the opcode of its frame, and its bytes."""
    dice = Random(f"message {seed} {number}")
    data = dice.choice(_CHANGES)(dice, _valid(dice))
    return (BINARY if dice.random() < 0.03 else TEXT), data
