import errno
import socket
import ssl

import pytest
import trio
import trio.testing
from trio_websocket import CloseReason, ConnectionClosed, ConnectionRejected, HandshakeError

from incident_manager.http.client.reconnect import Loss
from incident_manager.http.client.transport import WatchedStream, loss_of


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


REFUSED = OSError(errno.ECONNREFUSED, "Error connecting to ('::1', 1): Connection refused")
UNTRUSTED = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] ...")
UNTRUSTED.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (REFUSED, Loss("Connection refused")),
        (caused(OSError("all attempts failed"), REFUSED), Loss("Connection refused")),
        (
            caused(OSError("all attempts failed"), ExceptionGroup("", [REFUSED, REFUSED])),
            Loss("Connection refused"),
        ),
        (socket.gaierror(-2, "Name or service not known"), Loss("Name or service not known")),
        (caused(trio.BrokenResourceError(), OSError("bad certificate")), Loss("bad certificate")),
        (caused(trio.BrokenResourceError(), UNTRUSTED), Loss("TLS: self-signed certificate")),
        (ssl.SSLError(1, "odd"), Loss("TLS: odd")),
        (ssl.SSLError("odder"), Loss("TLS: ('odder',)")),
        (trio.BrokenResourceError(), Loss("BrokenResourceError")),
        (HandshakeError("what is this"), Loss("what is this")),
        (ConnectionClosed(None), Loss("the connection broke", 1006)),
        (ConnectionClosed(CloseReason(1006, None)), Loss("the connection broke", 1006)),
        (ConnectionClosed(CloseReason(1001, None)), Loss("GOING_AWAY", 1001)),
        (ConnectionClosed(CloseReason(4403, "Forbidden")), Loss("Forbidden", 4403)),
        (ConnectionRejected(503, (), None), Loss("HTTP status 503", 503, upgraded=False)),
        (ConnectionRejected(404, (), b" no\nmore "), Loss("no", 404, upgraded=False)),
        (ExceptionGroup("", [ConnectionRejected(429, (), b"")]),
         Loss("HTTP status 429", 429, upgraded=False)),
    ],
    ids=repr,
)  # fmt: skip
def test_what_went_wrong_in_words(error: BaseException, loss: Loss) -> None:
    assert loss_of(error) == loss


async def test_a_watched_stream_says_what_it_hears_and_its_end() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    heard: list[int] = []
    watched = WatchedStream(ours, lambda: heard.append(1))  # type: ignore[arg-type]
    await watched.send_all(b"a")
    assert await theirs.receive_some() == b"a"
    await theirs.send_all(b"b")
    assert await watched.receive_some() == b"b"
    assert len(heard) == 1
    assert not watched.ended.is_set()
    await theirs.aclose()
    assert await watched.receive_some() == b""
    assert watched.ended.is_set()
    assert len(heard) == 1


async def test_a_broken_stream_has_ended() -> None:
    ours, _ = trio.testing.memory_stream_pair()
    watched = WatchedStream(ours, lambda: None)  # type: ignore[arg-type]
    await watched.aclose()
    with pytest.raises(trio.ClosedResourceError):
        await watched.receive_some()
    assert watched.ended.is_set()
