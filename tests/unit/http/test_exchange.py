import pytest

from incident_manager.http.exchange import Exchange, current, during
from unit.http.served import asked, recovering


async def test_a_task_serves_the_one_that_it_has_entered() -> None:
    gateway = recovering().gateway
    first, second = asked(gateway), asked(gateway)
    with during(first):
        with during(second):
            assert current() is second
        assert current() is first
    with pytest.raises(LookupError):
        current()


async def test_it_says_what_its_scope_says() -> None:
    gateway = recovering().gateway
    found = asked(gateway, "POST", "/v1/alerts", b"{}", headers={"Content-Type": "a/b"})
    assert (found.method, found.path, found.host) == ("POST", "/v1/alerts", "192.0.2.7")
    assert (found.lines.get("content-type"), found.secure) == ("a/b", False)
    assert await found.read() == b"{}"
    assert (found.session, found.spent, found.counted, found.replayed) == (None, None, False, False)


async def test_who_comes_by_a_unix_socket_has_no_address_and_tls_is_seen() -> None:
    gateway = recovering().gateway
    scope = {"method": "GET", "path": "/", "scheme": "https", "headers": [], "client": None}
    found = Exchange.of(gateway, scope, asked(gateway).read)
    assert (found.host, found.secure) == (None, True)
