"""All connections at a glance, and those of one peer or principal, however many there are."""

from collections.abc import Iterator

import trio
from attrs import frozen

from incident_manager.supervision import Node

__all__ = ["Census", "take_census"]

_STEP = 256  # connections that are looked at before others run


@frozen
class Census:
    """Sums over all connections, and the ids of those that were looked for.

    ``live`` and ``reading`` count subscriptions; ``max_lag_events`` is of the one that is most
    behind.
    """

    count: int = 0
    subscriptions: int = 0
    live: int = 0
    reading: int = 0
    max_lag_events: int = 0
    backlog_bytes: int = 0
    bytes_out: int = 0
    found: tuple[str, ...] = ()

    def view(self) -> dict[str, int]:
        """The sums."""
        return {
            "count": self.count,
            "subscriptions": self.subscriptions,
            "live": self.live,
            "reading": self.reading,
            "max_lag_events": self.max_lag_events,
            "backlog_bytes": self.backlog_bytes,
            "bytes_out": self.bytes_out,
        }


async def take_census(
    connections: Node | None, *, peer: str | None = None, principal: str | None = None
) -> Census:
    """Look at every connection under a node, and let others run in between.

    ``peer`` is an address, with its port or without; both conditions must hold where both are
    given.
    """
    sums: dict[str, int] = dict.fromkeys(_SUMMED, 0)
    count = most = 0
    found: list[str] = []
    children = [] if connections is None else list(connections.children.values())
    for number, node in enumerate(children, 1):
        if number % _STEP == 0:
            await trio.lowlevel.checkpoint()
        if node.stats is None:
            continue
        figures = node.stats()
        count += 1
        for name, value in _numbers(figures):
            sums[name] += value
        lag = figures.get("lag_events")
        most = max(most, lag if isinstance(lag, int) else 0)
        if _is(figures, peer, principal):
            found.append(node.id)
    return Census(count=count, max_lag_events=most, found=tuple(found), **sums)


_SUMMED = ("subscriptions", "live", "reading", "backlog_bytes", "bytes_out")


def _numbers(figures: object) -> Iterator[tuple[str, int]]:
    if isinstance(figures, dict):
        for name in _SUMMED:
            value = figures.get(name)
            if isinstance(value, int):
                yield name, value


def _is(figures: object, peer: str | None, principal: str | None) -> bool:
    if not isinstance(figures, dict) or (peer is None and principal is None):
        return False
    whole = str(figures.get("peer"))
    address = whole.rpartition(":")[0]
    return (peer is None or peer in (whole, address, address.strip("[]"))) and (
        principal is None or figures.get("principal") == principal
    )
