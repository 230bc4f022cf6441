import httpx
import pytest

from incident_manager.http.key_server import KeyServerError, fetch_keys, max_age
from incident_manager.http.trust import KeySource, TokenTrust


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("public", None),
        ("max-age=60", 60.0),
        ("public, Max-Age=60, must-revalidate", 60.0),
        ('max-age="60"', 60.0),
        ("s-maxage=60", None),
        ("x-max-age=60", None),
        ("max-age=", None),
        ("max-age=-1", None),
        ("no-cache, max-age=60", 0.0),
        ("No-Store", 0.0),
    ],
)
def test_how_long_an_answer_is_good(header: str | None, seconds: float | None) -> None:
    assert max_age(header) == seconds


@pytest.mark.parametrize("host", ["a..b", "..", "a" * 300])
async def test_a_name_that_no_host_can_have_is_no_failure_of_ours(host: str) -> None:
    trust = TokenTrust(KeySource.KEY_SET, "RS256", None, None)
    async with httpx.AsyncClient() as client:
        with pytest.raises(KeyServerError, match="does not answer"):
            await fetch_keys(client, trust, f"https://{host}/keys")
