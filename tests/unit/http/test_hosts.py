import pytest

from incident_manager.http.hosts import is_rebound
from incident_manager.http.sections import ServerSettings
from incident_manager.http.settings import Settings
from unit.http.served import AUTHENTICATED, serving

OURS = ["localhost", "LOCALHOST:8080", "a.localhost", "localhost.", "127.0.0.1:1", "[::1]:8080"]
OTHERS = ["evil.example", "localhost.evil.example:8080", "127.0.0.1.nip.io", "[::1", "::1", "a b"]


@pytest.mark.parametrize("host", [*OURS, "[::1]", "192.0.2.7:80", "", None])
def test_an_address_and_localhost_are_served(host: str | None) -> None:
    assert not is_rebound(Settings(), host)


@pytest.mark.parametrize("host", [*OTHERS, ":8080", "[]", "[localhost.evil]"])
def test_any_other_name_is_refused_in_open_mode(host: str) -> None:
    assert is_rebound(Settings(), host)


@pytest.mark.parametrize("host", OTHERS)
def test_with_credentials_or_on_demand_every_name_is_served(host: str) -> None:
    assert not is_rebound(AUTHENTICATED, host)
    assert not is_rebound(Settings(server=ServerSettings(insecure=True)), host)


@pytest.mark.parametrize("path", ["/health", "/v1/incidents", "/graphql/schema"])
async def test_every_route_refuses_a_name_that_is_not_ours(path: str) -> None:
    async with serving() as served:
        reply = await served.get(path, headers={"Host": "evil.example"})
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")
        assert reply.fields == ["Host"]
        assert (await served.get(path, headers={"Host": "127.0.0.1:8080"})).status == 200
