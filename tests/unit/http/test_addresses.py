"""How many connections an address may have."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.addresses import Addresses
from incident_manager.http.proxies import Trust


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("fe80::1%eth0", "fe80::2"),
        ("nobody knows", "nobody knows"),
    ],
)
def test_what_is_one_address(one: str, other: str) -> None:
    addresses = Addresses(1)
    with addresses.entered(one) as first, addresses.entered(other) as second:
        assert (first, second) == (True, False)
        assert len(addresses) == 1
    with addresses.entered(other) as again:
        assert again
    assert not len(addresses)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8::1", "2001:db8:0:1::1"),
        ("::c000:201", "192.0.2.1"),
    ],
)
def test_what_is_two(one: str, other: str) -> None:
    addresses = Addresses(1)
    with addresses.entered(one) as first, addresses.entered(other) as second:
        assert first
        assert second
        assert len(addresses) == 2


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", None]
)
def test_who_is_not_counted(host: str | None) -> None:
    addresses = Addresses(1, Trust.parse(["10.0.0.0/8"]))
    with addresses.entered(host) as first, addresses.entered(host) as second:
        assert first
        assert second
        assert not len(addresses)


def test_no_limit_counts_nothing() -> None:
    addresses = Addresses(0)
    with addresses.entered("192.0.2.1") as first, addresses.entered("192.0.2.1") as second:
        assert first
        assert second


def test_a_connection_that_fails_is_counted_no_more() -> None:
    addresses = Addresses(1)
    with pytest.raises(RuntimeError), addresses.entered("192.0.2.1"):
        raise RuntimeError
    with addresses.entered("192.0.2.1") as again:
        assert again


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_it_counts_as_a_list_would(limit: int, steps: list[tuple[str, bool]]) -> None:
    addresses = Addresses(limit)
    open_: dict[str, list[ExitStack]] = {host: [] for host in "abc"}
    for host, comes in steps:
        if comes:
            stack = ExitStack()
            let_in = stack.enter_context(addresses.entered(host))
            assert let_in == (len(open_[host]) < limit)
            if let_in:
                open_[host].append(stack)
        elif open_[host]:
            open_[host].pop().close()
        assert len(addresses) == sum(bool(each) for each in open_.values())
