"""A client that asks for one small answer after the other, and notes how long each took.

``python tests/load/asker.py PORT FILE`` writes a line ``began took`` for each, in seconds of
``time.monotonic``, which all processes of a machine share. It runs until it is ended.
"""

import http.client
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles

from attrs import frozen

__all__ = ["Asked", "read_asked", "summary"]


@frozen
class Asked:
    """One request: when it began and how long it took, in seconds."""

    began: float
    took: float


def read_asked(file: Path) -> list[Asked]:
    """What is in the file so far; a line that is not whole is left out."""
    whole, _, _ = file.read_text().rpartition("\n")
    return [Asked(*map(float, line.split())) for line in whole.splitlines()]


def summary(asked: Iterable[Asked], since: float, until: float) -> str:
    """``p50 / p99`` in milliseconds of those that began in a time, or what there is of them."""
    took = [1000 * each.took for each in asked if since <= each.began <= until]
    if len(took) < 2:
        return f"{len(took)} answers"
    parts = quantiles(took, n=100, method="inclusive")
    return f"{parts[49]:.1f} / {parts[98]:.1f}"


def ask(port: int, file: Path) -> None:
    """Ask without end. Raises AssertionError for any answer but 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    with file.open("w", buffering=1) as out:
        while True:
            began = time.monotonic()
            connection.request("GET", "/health/live")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            out.write(f"{began} {time.monotonic() - began}\n")


if __name__ == "__main__":
    ask(int(sys.argv[1]), Path(sys.argv[2]))
