import pytest

from incident_manager.http.sections import AuthSettings
from incident_manager.http.trust import KeySource, TokenTrust, check_url, token_trust

SECRET = "s" * 32


@pytest.mark.parametrize(
    ("auth", "trust"),
    [
        (AuthSettings(), None),
        (AuthSettings(api_keys={"ci": "x"}), None),
        (AuthSettings(jwt_secret=SECRET), TokenTrust(KeySource.SECRET, "HS256", None, None)),
        (
            AuthSettings(jwt_secret=SECRET, issuer="me", audience="lim"),
            TokenTrust(KeySource.SECRET, "HS256", "me", "lim"),
        ),
        (AuthSettings(jwt_public_key="f"), TokenTrust(KeySource.FILE, "RS256", None, None)),
        (
            AuthSettings(jwks_url="https://k/?a=b", jwt_algorithm="ES256", issuer="any"),
            TokenTrust(KeySource.KEY_SET, "ES256", "any", None),
        ),
        (
            AuthSettings(issuer="https://i/realm", jwt_algorithm="EdDSA"),
            TokenTrust(KeySource.DISCOVERY, "EdDSA", "https://i/realm", None),
        ),
    ],
)
def test_one_algorithm_and_one_source(auth: AuthSettings, trust: TokenTrust | None) -> None:
    assert token_trust(auth) == trust
    assert trust is None or trust.remote == (
        trust.source in (KeySource.KEY_SET, KeySource.DISCOVERY)
    )


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        (
            AuthSettings(jwt_secret=SECRET, jwt_public_key="f"),
            "auth.jwt_public_key and auth.jwt_secret do not go together",
        ),
        (
            AuthSettings(jwks_url="https://k", jwt_public_key="f"),
            "auth.jwks_url and auth.jwt_public_key do not go together",
        ),
        (AuthSettings(jwt_secret=SECRET, jwt_algorithm="ES256"), "auth.jwt_algorithm ES256"),
        (AuthSettings(jwt_public_key="f", jwt_algorithm="HS256"), "auth.jwt_algorithm HS256"),
        (AuthSettings(issuer="https://i", jwt_algorithm="HS256"), "auth.jwt_algorithm HS256"),
        (AuthSettings(audience="lim"), "auth.audience needs a key"),
        (AuthSettings(scope_roles={"a": "ADMIN"}), "auth.scope_roles needs a key"),
        (AuthSettings(roles_claim="a"), "auth.roles_claim needs a key"),
        (AuthSettings(jwt_algorithm="HS256"), "auth.jwt_algorithm needs a key"),
        (AuthSettings(issuer="me"), "auth.issuer is not a URL"),
        (AuthSettings(issuer="https://i/?a=b"), "auth.issuer must not have"),
        (AuthSettings(jwks_url="http://k"), "auth.jwks_url must be https"),
    ],
)
def test_what_does_not_go_together(auth: AuthSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        token_trust(auth)


@pytest.mark.parametrize(
    "url",
    [
        "https://keys.example.org/a?b=c",
        "https://[2001:db8::1]:8443/",
        "http://localhost/",
        "http://127.1.2.3:8000/keys",
        "http://[::1]/keys",
    ],
)
def test_urls_that_are_trusted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys",
        "https://",
        "https:///keys",
        "ftp://keys.example.org",
        "file:///etc/passwd",
        "http://keys.example.org",
        "http://localhost.example.org",
        "http://10.0.0.1/",
        "http://127.0.0.1.nip.io/",
        "https://user:secret@keys.example.org/",
        "https://keys.example.org/#a",
        "https://keys.example.org/a b",
        "https://keys.example.org/\n",
        "https://[::1/",
        "https://keys.example.org:99999/",
    ],
)
def test_urls_that_are_not(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)
