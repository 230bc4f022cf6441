"""Whom the server believes."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.proxies import NOBODY, Trust, address_of


@pytest.mark.parametrize(
    ("trusted", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.0/8", "10.255.0.1"),
        ("10.0.0.0/8", "::ffff:10.0.0.1"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8::/32", "2001:db8:1::5"),
        ("fe80::/10", "fe80::1%eth0"),
        ("unix", None),
        ("0.0.0.0/0", "192.0.2.1"),
    ],
)
def test_trusted(trusted: str, host: str | None) -> None:
    assert Trust.parse(["203.0.113.1", trusted]).trusts(host)


@pytest.mark.parametrize("host", ["10.0.0.2", "11.0.0.1", "2001:db8::1", "unix", "", "x", None])
def test_not_trusted(host: str | None) -> None:
    assert not Trust.parse(["10.0.0.1", "2001:db9::/32"]).trusts(host)
    assert not NOBODY.trusts(host)
    assert not Trust.parse(["unix"]).trusts(host or "127.0.0.1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.1/8", "has 10.0.0.1/8, which is an address in the network 10.0.0.0/8"),
        ("*", "has '*', which is neither"),
        ("proxy.example.org", "neither an address, nor a network, nor 'unix'"),
        ("", "has ''"),
        ("10.0.0.0/33", "has '10.0.0.0/33'"),
    ],
)
def test_what_does_not_parse(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="has") as caught:
        Trust.parse(["10.0.0.1", text])
    assert words in str(caught.value)


@given(st.ip_addresses())
def test_each_address_trusts_itself_alone(address: ipaddress.IPv4Address) -> None:
    trust = Trust.parse([str(address)])
    assert trust.trusts(str(address))
    assert not trust.trusts(str(ipaddress.ip_address(int(address) ^ 1)))


def test_addresses() -> None:
    assert address_of("::ffff:192.0.2.1") == ipaddress.ip_address("192.0.2.1")
    assert address_of("fe80::1%eth0") == ipaddress.ip_address("fe80::1")
    assert address_of("localhost") is None
