import time
from types import MappingProxyType

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from incident_manager.actors.errors import Unavailable
from incident_manager.actors.roles import Role
from incident_manager.http import tokens
from incident_manager.http.claims import ClaimRules
from incident_manager.http.keys import KeySet, OneKey
from incident_manager.http.principal import AuthError, UnknownKeyError
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from incident_manager.http.tokens import MOST_TOKEN, TokenVerifier, issue_token
from incident_manager.http.trust import KeySource, TokenTrust, token_trust

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
KEYS = KeySet(MappingProxyType({"a": KEY.public_key()}))
TRUST = TokenTrust(KeySource.KEY_SET, "ES256", "me", "lim")
SOON = 4_000_000_000


def verifier(keys: KeySet | None = KEYS) -> TokenVerifier:
    return TokenVerifier(TRUST, ClaimRules(), keys)


def token(key: ec.EllipticCurvePrivateKey = KEY, headers: object = None, **claims: object) -> str:
    every = {"sub": "ann", "role": "VIEWER", "exp": SOON, "iss": "me", "aud": "lim", **claims}
    return jwt.encode(
        {name: value for name, value in every.items() if value is not None},
        key,
        "ES256",
        headers={"kid": "a"} if headers is None else headers,  # type: ignore[arg-type]
    )


def test_a_good_token() -> None:
    verify = verifier().verify
    assert verify(token()).name == "ann"
    assert verify(token(aud=["x", "lim"])).role is Role.VIEWER
    assert verify(token(headers={})).name == "ann"  # there is one key only
    now = int(time.time())
    assert verify(token(iat=now + 10, nbf=now + 10)).name == "ann"  # clocks differ


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (token(iss="you"), "another issuer"),
        (token(iss=None), "no claim iss"),
        (token(aud="you"), "another audience"),
        (token(aud=[]), "another audience|no claim aud"),
        (token(aud=None), "no claim aud"),
        (token(exp=None), "no expiry"),
        (token(exp=1), "has expired"),
        (token(nbf=SOON), "not valid yet"),
        (token(iat=SOON), "not valid yet"),
        (token(OTHER), "is not valid"),
        (token(role=None), "bears no role"),
        (token(headers={"kid": "x" * 257}), "kid"),
        (token(headers={"kid": "a", "crit": ["b64"], "b64": True}), "critical|not valid"),
        (token(headers={"kid": "a", "crit": ["exp"]}), "critical|not valid"),
        (jwt.encode({"exp": SOON}, "s" * 32, "HS256", headers={"kid": "a"}), "not signed by ES256"),
        (jwt.encode({"exp": SOON}, None, "none"), "not signed by ES256"),
        ("x" * (MOST_TOKEN + 1), "longer than"),
        ("", "not valid"),
        ("\ud800", "not valid"),
    ],
)
def test_bad_tokens(bad: str, message: str) -> None:
    with pytest.raises(AuthError, match=message) as caught:
        verifier().verify(bad)
    assert not isinstance(caught.value, UnknownKeyError)
    assert not bad or bad not in str(caught.value)


def test_one_that_is_about_to_expire_gets_no_leeway() -> None:
    with pytest.raises(AuthError, match="has expired"):
        verifier().verify(token(exp=int(time.time()) - 1))


@pytest.mark.parametrize("name", ["b", "../a", "", "a\0", "A"])
def test_a_key_that_is_not_known(name: str) -> None:
    with pytest.raises(UnknownKeyError):
        verifier().verify(token(headers={"kid": name}))


def test_without_any_keys_yet() -> None:
    empty = verifier(None)
    with pytest.raises(Unavailable) as caught:
        empty.verify(token())
    assert caught.value.known
    with pytest.raises(AuthError):
        empty.verify("x")  # no key would make that good
    empty.learn(KEYS)
    assert empty.verify(token()).name == "ann"


def test_a_token_is_remembered_until_the_keys_change() -> None:
    found = verifier()
    text = token()
    first = found.verify(text)
    assert found.verify(text) is first
    found.learn(KeySet(MappingProxyType({"a": KEY.public_key()})))  # the same again
    assert found.verify(text) is first
    found.learn(KeySet(MappingProxyType({"b": KEY.public_key()})))
    with pytest.raises(UnknownKeyError):
        found.verify(text)
    found.learn(KeySet(MappingProxyType({"a": OTHER.public_key()})))
    with pytest.raises(AuthError, match="not valid"):
        found.verify(text)


def test_a_remembered_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    found = verifier()
    text = token(exp=int(time.time()) + 60)
    assert found.verify(text).name == "ann"
    late = time.time() + 61
    monkeypatch.setattr(tokens.time, "time", lambda: late)
    for _ in range(2):
        with pytest.raises(AuthError, match="has expired"):
            found.verify(text)


def test_it_remembers_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 2)
    found = verifier()
    one, two, three = (token(jti=name) for name in "abc")
    first, second = found.verify(one), found.verify(two)
    assert found.verify(one) is first  # used again: the other one goes
    found.verify(three)
    assert found.verify(one) is first
    assert found.verify(two) is not second


def test_an_issued_token_bears_what_the_server_asks_for() -> None:
    auth = AuthSettings(jwt_secret="s" * 32, issuer="me", audience="lim", roles_claim="a.b")
    trust = token_trust(auth)
    assert trust is not None
    found = TokenVerifier(trust, ClaimRules.of(auth), OneKey("s" * 32))
    issued = issue_token(Settings(auth=auth), Role.ADMIN, "ann", 60)
    assert found.verify(issued).role is Role.ADMIN


def test_the_key_is_not_shown() -> None:
    assert "ssss" not in repr(OneKey("s" * 32))
