"""How a connection from a trusted proxy begins: the proxy may say for whom it speaks."""

import trio

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.proxies import Trust
from incident_manager.http.proxy_header import MAX_HEADER, Endpoint, Header, NotYet, read

__all__ = ["introduced"]


async def introduced(
    socket: GuardedSocket, peer: Endpoint | None, trusted: Trust
) -> Endpoint | None:
    """Whose connection it is: what the PROXY header of a trusted ``peer`` says, else ``peer``.

    Of others nothing is read: what looks like such a header is then bad HTTP. What was read
    beyond the header is the socket's ``preface``.

    Raises:
        ProxyHeaderError: the header is malformed.
        trio.BrokenResourceError: the connection ended within it, or failed.
    """
    if not trusted.trusts(None if peer is None else peer[0]):
        return peer
    begun = bytearray()
    while (found := read(begun)) is NotYet.NEED_MORE:
        some = await socket.receive_some(MAX_HEADER)
        if not some:
            raise trio.BrokenResourceError("the connection ended before it began")
        begun += some
    if isinstance(found, Header):
        del begun[: found.consumed]
        if found.client is not None:
            peer = found.client
    socket.preface = bytes(begun)
    return peer
