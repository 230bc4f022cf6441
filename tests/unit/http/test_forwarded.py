"""For whom proxies speak: each form of the headers, and what hostile clients put into them."""

from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.forwarded import Seen, see, see_through
from incident_manager.http.proxies import NOBODY, Trust

PROXY = ("10.0.0.1", 4711)
TRUST = Trust.parse(["10.0.0.0/8", "2001:db8:ffff::/48", "unix"])
Headers = list[tuple[bytes, bytes]]


def x_for(*values: str) -> Headers:
    return [(b"x-forwarded-for", value.encode("latin-1")) for value in values]


def standard(*values: str) -> Headers:
    return [(b"forwarded", value.encode("latin-1")) for value in values]


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:80", ("192.0.2.1", 80)),
        ("2001:DB8::1", ("2001:db8::1", 0)),
        ("[2001:db8::1]", ("2001:db8::1", 0)),
        ("[2001:db8::1]:80", ("2001:db8::1", 80)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:99999", ("192.0.2.1", 0)),
        ("203.0.113.9, 192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1, 10.2.3.4, 2001:db8:ffff::1", ("192.0.2.1", 0)),
        ("192.0.2.1,, 10.2.3.4 ,", ("192.0.2.1", 0)),
        ("10.0.0.9, 10.0.0.8", ("10.0.0.9", 0)),
        ("192.0.2.1, unknown, 10.0.0.8", ("10.0.0.8", 0)),
        ("192.0.2.1, _hidden", PROXY),
        ("192.0.2.1, 192.0.2.300", PROXY),
        ("192.0.2.1, fe80::1%eth0", PROXY),
        ("192.0.2.1, \xb2", PROXY),
        ("unknown", PROXY),
        ("", PROXY),
    ],
)
def test_x_forwarded_for(value: str, client: tuple[str, int]) -> None:
    assert see(PROXY, x_for(value), TRUST) == Seen(client)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("for=192.0.2.1", Seen(("192.0.2.1", 0))),
        ('For="192.0.2.1:80"', Seen(("192.0.2.1", 80))),
        ('for="[2001:db8::1]:80"', Seen(("2001:db8::1", 80))),
        ('for="[2001:db8::1]:_p"', Seen(("2001:db8::1", 0))),
        (
            "for=192.0.2.1;proto=https;by=10.0.0.1;host=im.example",
            Seen(("192.0.2.1", 0), secure=True, host="im.example"),
        ),
        (
            'for=192.0.2.1 ; Proto=HTTP; host="im.example:8443";',
            Seen(("192.0.2.1", 0), secure=False, host="im.example:8443"),
        ),
        (
            "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http;host=inner",
            Seen(("192.0.2.1", 0), secure=True, host="inner"),
        ),
        ("for=203.0.113.1, for=192.0.2.1, , for=10.0.0.2", Seen(("192.0.2.1", 0))),
        ("for=192.0.2.1, for=unknown;proto=https", Seen(PROXY, secure=True)),
        ("for=192.0.2.1, for=_hidden, for=10.0.0.2", Seen(("10.0.0.2", 0))),
        ("for=192.0.2.1, proto=https", Seen(PROXY, secure=True)),
        ("for=192.0.2.1, for=10.0.0.2;for=10.0.0.3", Seen(PROXY)),
        ("for=192.0.2.1, nonsense", Seen(PROXY)),
        ("for=192.0.2.1, nonsense, for=10.0.0.2", Seen(("10.0.0.2", 0))),
        ('for=192.0.2.1;ext="a, \\", for=10.0.0.9, b"', Seen(("192.0.2.1", 0))),
        ('for=192.0.2.1;proto=gopher;host="a/b"', Seen(("192.0.2.1", 0))),
        ("for=192.0.2.1;" + "; " * 5000 + "!", Seen(PROXY)),
        (",".join(["for=10.0.0.2"] * 5000), Seen(("10.0.0.2", 0))),
        ("", Seen(PROXY)),
    ],
)
def test_forwarded(value: str, seen: Seen) -> None:
    assert see(PROXY, standard(value), TRUST) == seen


def test_several_lines_are_one_list() -> None:
    client = ("192.0.2.1", 0)
    assert see(PROXY, x_for("203.0.113.1, 192.0.2.1", "10.0.0.2"), TRUST).client == client
    assert see(PROXY, standard("for=192.0.2.1", "for=10.0.0.2"), TRUST).client == client


def test_schemes_and_hosts_replaced_or_appended() -> None:
    headers = x_for("192.0.2.1, 10.0.0.2")
    for schemes in (b"https", b"https, http"):
        given = [*headers, (b"x-forwarded-proto", schemes), (b"x-forwarded-host", b"a, b")]
        assert see(PROXY, given, TRUST) == Seen(("192.0.2.1", 0), secure=True, host="a")
    alone = [(b"x-forwarded-proto", b"wss"), (b"x-forwarded-host", b"[2001:db8::1]:80")]
    assert see(PROXY, alone, TRUST) == Seen(PROXY, secure=True, host="[2001:db8::1]:80")


def test_what_a_client_says_itself_is_nothing() -> None:
    lies = [*standard("for=10.0.0.2"), *x_for("10.0.0.2"), (b"x-forwarded-proto", b"https")]
    stranger = ("192.0.2.1", 1)
    assert see(stranger, lies, TRUST) == Seen(stranger)
    assert see(PROXY, lies, NOBODY) == Seen(PROXY)
    assert see(None, lies, NOBODY) == Seen(None)


def test_a_forwarded_that_a_proxy_passed_on_does_not_count() -> None:
    headers = [*standard("for=10.0.0.2;proto=https"), *x_for("192.0.2.1")]
    assert see(PROXY, headers, TRUST) == Seen(("192.0.2.1", 0))


def test_by_a_unix_socket() -> None:
    assert see(None, x_for("192.0.2.1"), TRUST).client == ("192.0.2.1", 0)


CLIENT = "192.0.2.77"


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80))
def test_nothing_that_a_client_sends_hides_what_a_proxy_appends(lie: str) -> None:
    assert see(PROXY, x_for(f"{lie}, {CLIENT}"), TRUST).client == (CLIENT, 0)
    assert see(PROXY, standard(f"{lie}, for={CLIENT}"), TRUST).client == (CLIENT, 0)


@given(st.text('for=;",\\ 10.2abc', max_size=60))
def test_nor_what_a_proxy_quotes_of_it(lie: str) -> None:
    quoted = lie.replace("\\", "\\\\").replace('"', '\\"')
    assert see(PROXY, standard(f'for={CLIENT};ext="{quoted}"'), TRUST).client == (CLIENT, 0)


@given(st.lists(st.sampled_from(["10.0.0.2", "192.0.2.1", "unknown", "x", "[::1]:1", ""])))
def test_both_kinds_say_the_same(nodes: list[str]) -> None:
    common = see(PROXY, x_for(", ".join(nodes)), TRUST)
    rfc = see(PROXY, standard(", ".join(f'for="{node}"' for node in nodes if node)), TRUST)
    assert common == rfc


def scope(kind: str, headers: Headers) -> MutableMapping[str, Any]:
    plain = "ws" if kind == "websocket" else "http"
    return {"type": kind, "scheme": plain, "client": PROXY, "headers": headers}


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_a_scope_is_shown_as_its_client_sent_it(kind: str, scheme: str) -> None:
    headers = [
        (b"host", b"inner"),
        *standard("for=192.0.2.1;proto=https;host=im.example"),
    ]
    shown = scope(kind, headers)
    see_through(shown, TRUST, host=True)
    assert (shown["client"], shown["scheme"]) == (("192.0.2.1", 0), scheme)
    assert [value for name, value in shown["headers"] if name == b"host"] == [b"im.example"]
    kept = scope(kind, headers)
    see_through(kept, TRUST, host=False)
    assert kept["headers"] == headers


def test_a_scope_of_somebody_else_stays_as_it_is() -> None:
    for client in (("192.0.2.1", 5), ["192.0.2.1", None], None):
        shown = {**scope("http", x_for("203.0.113.1")), "client": client}
        before = dict(shown)
        see_through(shown, Trust.parse(["10.0.0.0/8"]), host=True)
        assert shown == before
