"""Python's garbage collector, set to what a server with ten thousand connections is.

What lives as long as the process need not be looked through again and again, and what a
connection is made of mostly lives as long as it does: with CPython's own thresholds the full
collections, each of which looks at every object and stops everything meanwhile, were a quarter
of the time that ten thousand clients took to connect.
"""

import gc
from typing import Final

__all__ = ["THRESHOLDS", "settle"]

THRESHOLDS: Final = (10_000, 20, 10)
"""New objects (less those freed) before the youngest are looked at; how many times that before
the middle ones are; how many times that before all are: once in two million.
"""


def settle() -> None:
    """Call it once a server has started: what is there now is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
