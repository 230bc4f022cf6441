"""A payload that many get is its bytes, and more stands beside it."""

from incident_manager.actors.payload import Payload


def test_it_is_its_bytes() -> None:
    payload = Payload(b'{"data":null}')
    assert payload == b'{"data":null}'
    assert hash(payload) == hash(b'{"data":null}')
    assert type(payload + b"}") is bytes
    assert type(b"-".join([payload, payload])) is bytes


def test_what_is_made_of_it_stands_beside_it() -> None:
    one, two = Payload(b"{}"), Payload(b"{}")
    assert one.beside is None
    one.beside = b"made"
    assert (one.beside, two.beside) == (b"made", None)
    assert one == two
