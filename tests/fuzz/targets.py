"""What reads bytes of strangers without IO, each as a function of bytes.

A target takes any bytes, and raises for none: what the reader refuses in its own way is fine, and
what it takes must keep its laws.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import parse_qsl

import jwt
import msgspec
from graphql import GraphQLError
from werkzeug.datastructures import MultiDict

from incident_manager.actors.cursor import Cursor, CursorError
from incident_manager.actors.errors import Refused
from incident_manager.actors.limits import check
from incident_manager.http.auth import Authenticator, AuthError, Credentials, of_headers, of_payload
from incident_manager.http.config import load_settings
from incident_manager.http.forwarded import see
from incident_manager.http.frames import error_frame, next_prefix, pong_frame
from incident_manager.http.ingest.alertmanager import (
    posted_alert,
    posted_alerts,
    webhook_alert,
    webhook_alerts,
)
from incident_manager.http.ingest.severities import severity_table
from incident_manager.http.messages import BadMessage, read_message
from incident_manager.http.origins import is_stranger
from incident_manager.http.protocol import Close, ConnectionInit, Ping, Protocol, State, Subscribe
from incident_manager.http.proxies import Trust
from incident_manager.http.proxy_header import MAX_HEADER, Header, NotYet, ProxyHeaderError, read
from incident_manager.http.rest.alerts import read_alert
from incident_manager.http.rest.body import decode, decode_any
from incident_manager.http.rest.filters import read_alert_query, read_part, read_query
from incident_manager.http.trace import read_traceparent
from incident_manager.schema.build import schema
from incident_manager.schema.documents import Documents
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.scalars import parse_datetime

__all__ = ["TARGETS"]

SECRET: Final = "fuzz" * 8
SEVERITIES: Final = severity_table({})
LONGEST: Final = 10.0
"""Seconds of this process that a document of 64 KiB may take at the very worst."""


def text_of(data: bytes) -> str:
    """Any text, lone surrogates too."""
    return data.decode("utf-8", "surrogateescape")


def headers_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Headers as a server hands them on: one a line."""
    found = (line.partition(b":") for line in data.split(b"\n"))
    return [(name.strip().lower(), value.strip()) for name, _, value in found]


def messages(data: bytes) -> None:
    try:
        _, message = read_message(text_of(data))
    except BadMessage:
        return
    if isinstance(message, Ping):
        again = msgspec.json.decode(pong_frame(message.payload))
        assert again.get("payload") == message.payload
    if isinstance(message, Subscribe):
        assert msgspec.json.decode(next_prefix(message.id) + b"null}")["id"] == message.id
        assert msgspec.json.decode(error_frame(message.id, [{"message": "x"}]))["id"] == message.id


def protocol(data: bytes) -> None:
    machine = Protocol(agreed=True, max_subscriptions=3)
    for line in data.split(b"\n"):
        was = machine.state
        given = line[1:] if line.startswith(b"\0") else text_of(line)
        events = machine.receive(given)
        assert was is not State.CLOSED or not events
        for event in events:
            match event:
                case ConnectionInit():
                    assert machine.ack() is not None
                case Subscribe(id=name, serial=serial):
                    assert machine.is_live(name, serial)
                    if len(machine.ids) > 2:
                        assert machine.complete(name, serial=serial) is not None
                        assert not machine.is_live(name)
                case Close(reason=reason):
                    assert machine.state is State.CLOSED
                    assert len(reason.encode()) <= 123
                    assert not machine.ids


def cursor(data: bytes) -> None:
    try:
        found = Cursor.parse(text_of(data))
    except CursorError:
        return
    assert str(found) == text_of(data)
    assert 0 <= found.offset < 2**63


@cache
def _documents() -> Documents:
    return Documents(schema, entries=10)


def documents(data: bytes) -> None:
    began = time.process_time()
    try:
        _documents().get(text_of(data))
    except OperationRefused as refused:
        errors = list(refused.errors)
        assert errors
        assert all(error["extensions"]["code"] != "INTERNAL_SERVER_ERROR" for error in errors)
    assert time.process_time() - began < LONGEST


def traceparent(data: bytes) -> None:
    found = read_traceparent(text_of(data))
    assert found is None or (len(found) == 55 and found in text_of(data))


@cache
def _authenticator() -> Authenticator:
    settings = load_settings({"auth.jwt_secret": SECRET}, {}, lambda _: b"")
    return Authenticator.from_settings(settings)


def auth(data: bytes) -> None:
    """The bytes as headers, as a token, and as the claims of a token that is signed."""
    for credentials in (of_headers(headers_of(data)), Credentials(text_of(data))):
        _refused(credentials)
    try:
        claims = json.loads(data)
    except (ValueError, RecursionError):
        return
    of_payload(claims)
    if isinstance(claims, dict):
        try:
            signed = jwt.encode({"exp": 4_000_000_000, **claims}, SECRET)
        except (TypeError, ValueError, RecursionError):  # these claims cannot be sent
            return
        _refused(Credentials(f"Bearer {signed}"))


def _refused(credentials: Credentials) -> None:
    try:
        principal = _authenticator().authenticate(credentials)
    except AuthError:
        return
    assert len(principal.name) <= 255


def proxy_header(data: bytes) -> None:
    sizes = {*range(min(len(data), 20)), *range(20, len(data), 37), len(data)}
    answers = {size: _read_header(data[:size]) for size in sizes}
    decided = {str(each) for each in answers.values() if each is not NotYet.NEED_MORE}
    assert len(decided) <= 1, decided
    whole = answers[len(data)]
    assert len(data) <= MAX_HEADER or whole is not NotYet.NEED_MORE
    if isinstance(whole, Header):
        assert 0 < whole.consumed <= min(len(data), MAX_HEADER)
        for end in (whole.client, whole.server):
            if end is not None:
                assert str(ip_address(end[0])) == end[0]
                assert 0 <= end[1] < 65536


def _read_header(data: bytes) -> object:
    try:
        return read(data)
    except ProxyHeaderError:
        return ProxyHeaderError


TRUST: Final = Trust.parse(["127.0.0.1", "10.0.0.0/8", "2001:db8::/32"])


def forwarded(data: bytes) -> None:
    seen = see(("127.0.0.1", 1), headers_of(data), TRUST)
    assert seen.client is not None
    assert str(ip_address(seen.client[0]))
    assert 0 <= seen.client[1] < 65536
    stranger = see(("192.0.2.1", 1), headers_of(data), TRUST)
    assert (stranger.client, stranger.host, stranger.secure) == (("192.0.2.1", 1), None, None)
    is_stranger(text_of(data), "127.0.0.1")


def rest(data: bytes) -> None:
    with suppress(Refused):
        check(read_alert(decode(data)))
    arguments = MultiDict(parse_qsl(data.decode("latin-1"), keep_blank_values=True))
    for reader in (read_query, read_alert_query, _part):
        with suppress(Refused):
            reader(arguments)


def _part(arguments: "MultiDict[str, str]") -> object:
    return read_part(arguments, 20)


def alertmanager(data: bytes) -> None:
    try:
        given = decode_any(data)
    except Refused:
        return
    for alert in _each(given):
        for reader in (_webhook, _posted):
            try:
                command = reader(alert)
            except Refused:
                continue
            check(command)  # what is too long was cut


def _each(given: object) -> Iterator[object]:
    for reader in (webhook_alerts, posted_alerts):
        with suppress(Refused):
            yield from reader(given)


def _webhook(alert: object) -> Any:
    return webhook_alert(alert, SEVERITIES)


def _posted(alert: object) -> Any:
    return posted_alert(alert, SEVERITIES, 1_700_000_000_000_000)


def datetimes(data: bytes) -> None:
    try:
        found = parse_datetime(text_of(data))
    except GraphQLError:
        return
    assert isinstance(found, int)


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = MappingProxyType(
    {
        target.__name__: target
        for target in (
            messages,
            protocol,
            cursor,
            documents,
            traceparent,
            auth,
            proxy_header,
            forwarded,
            rest,
            alertmanager,
            datetimes,
        )
    }
)
