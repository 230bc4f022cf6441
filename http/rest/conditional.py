"""Answers without a version of their own: their bytes tell whether the client holds them."""

from quart import request
from quart_trio.wrappers import TrioResponse

__all__ = ["conditional"]


async def conditional(response: TrioResponse) -> TrioResponse:
    """The answer with an ETag; 304 if ``If-None-Match`` has it (RFC 9110, section 13.1.2)."""
    response.headers["Cache-Control"] = "private, no-cache"
    await response.add_etag()
    await response.make_conditional(request)
    return response
