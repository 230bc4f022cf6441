"""Payloads that go to many at once."""

from collections.abc import Hashable, Sequence
from typing import Any

__all__ = ["Batch"]


class Batch:
    """Payloads of one shape, in the order of their events; ``size`` is how many bytes they are.

    ``memo`` is where those who take it keep what they make of all of it, so that the next need
    not make it again. It lives as long as the batch is being handed out, so it is for what many
    share, and never for one taker.
    """

    __slots__ = ("memo", "payloads", "size")

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self.payloads = payloads
        self.size = sum(map(len, payloads))
        self.memo: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.payloads)
