"""HTTP/1.1 of Hypercorn's, for requests of one meaning only."""

import h11
from hypercorn.events import Closed
from hypercorn.protocol.h11 import H11Protocol

__all__ = ["GuardedH11", "is_ambiguous"]

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


def is_ambiguous(request: h11.Request) -> bool:
    """Whether a proxy in front may have seen another end of the request than we do.

    Both headers together are how requests are smuggled past it (RFC 9112, section 6.1).
    """
    return {name for name, _ in request.headers} >= _LENGTHS


class GuardedH11(H11Protocol):
    """Hypercorn 0.18 takes a request with two lengths, and what comes behind it as another one.
    Here it is refused, and its connection ends.
    """

    async def _create_stream(self, request: h11.Request) -> None:
        if is_ambiguous(request):
            await self._send_error_response(400)
            await self.send(Closed())
        else:
            await super()._create_stream(request)
