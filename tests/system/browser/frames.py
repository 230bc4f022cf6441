"""How long the frames of a page take, by its ``requestAnimationFrame``, and what the page holds."""

from collections.abc import Sequence
from typing import Any, Final

from attrs import frozen
from playwright.sync_api import CDPSession, Page

__all__ = ["Frames", "Held", "forget_frames", "held", "read_frames", "record_frames"]

LONG: Final = 50.0
"""Milliseconds from which on a frame is felt (the W3C's Long Tasks)."""

_RECORD: Final = """() => {
  let last = performance.now();
  window.takenFrames = [];
  const step = (now) => {
    window.takenFrames.push(now - last);
    last = now;
    requestAnimationFrame(step);
  };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(step); });
}"""
_TAKE: Final = "() => window.takenFrames.splice(0)"


@frozen
class Frames:
    """Some frames: how many, how many of them long, and quantiles of their milliseconds."""

    count: int
    long: int
    median: float
    p99: float
    worst: float

    @classmethod
    def of(cls, taken: Sequence[float]) -> "Frames":
        """Of the milliseconds of each; there must be one at least."""
        ordered = sorted(taken)

        def quantile(share: float) -> float:
            return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

        long = sum(each >= LONG for each in ordered)
        return cls(len(ordered), long, quantile(0.5), quantile(0.99), ordered[-1])


@frozen
class Held:
    """What a page holds after a collection of garbage: bytes of heap, nodes, listeners; and the
    seconds of CPU that its thread has spent until now.
    """

    heap: int
    nodes: int
    listeners: int
    busy: float


def record_frames(page: Page) -> None:
    """Note each frame of the page from now on."""
    page.evaluate(_RECORD)


def forget_frames(page: Page) -> None:
    """Leave out the frames until now."""
    page.evaluate(_TAKE)


def read_frames(page: Page) -> Frames:
    """The frames since :func:`record_frames`, or since this (or to forget) was last asked."""
    return Frames.of(page.evaluate(_TAKE))


def held(session: CDPSession) -> Held:
    """What the page of a session of Chromium's DevTools protocol holds."""
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    told: list[dict[str, Any]] = session.send("Performance.getMetrics")["metrics"]
    by_name = {each["name"]: each["value"] for each in told}
    return Held(
        int(by_name["JSHeapUsedSize"]),
        int(by_name["Nodes"]),
        int(by_name["JSEventListeners"]),
        by_name["TaskDuration"],
    )
