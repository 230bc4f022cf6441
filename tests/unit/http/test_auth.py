import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.http.api_key_file import rewriting
from incident_manager.http.api_keys import new_key
from incident_manager.http.auth import (
    ANONYMOUS,
    Authenticator,
    AuthError,
    Credentials,
    Principal,
    Role,
    issue_token,
)
from incident_manager.http.config import SettingsError
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"
SETTINGS = Settings(auth=AuthSettings(jwt_secret=SECRET))
AUTH = Authenticator.from_settings(SETTINGS)
OPEN = Authenticator.from_settings(Settings())
SOON = 4_000_000_000  # the year 2096


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: object) -> str:
    return jwt.encode({"sub": "ann", "roles": ["VIEWER"], "exp": SOON, **claims}, secret, algorithm)


def raw_token(claims: bytes) -> str:
    """A token that is signed well, whatever its claims are."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"HS256"}', claims)]
    signed = b".".join(parts)
    digest = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def who(authorization: str | None, auth: Authenticator = AUTH) -> Principal:
    return auth.authenticate(Credentials(authorization))


def code(authorization: str | None, auth: Authenticator = AUTH) -> str:
    """The code that these credentials are refused with; the message never holds them."""
    with pytest.raises(AuthError) as caught:
        who(authorization, auth)
    sent = (authorization or "").split()
    assert not any(part in caught.value.message for part in sent if len(part) > 20)
    return caught.value.code


def test_roles_are_ordered() -> None:
    assert Role.VIEWER < Role.RESPONDER < Role.ADMIN


def test_a_good_token_is_its_subject() -> None:
    principal = who(f"Bearer {token(roles=['RESPONDER'])}")
    assert principal == Principal(name="ann", role=Role.RESPONDER, expires_at=float(SOON))
    assert not principal.anonymous


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", " Bearer  "])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert who(f"{scheme} {token()} ").name == "ann"


@pytest.mark.parametrize("authorization", [None, "", "  ", "Bearer", "bearer  "])
def test_no_credentials(authorization: str | None) -> None:
    assert code(authorization) == "UNAUTHENTICATED"


@pytest.mark.parametrize("authorization", ["Basic YTpi", token(), f"Token {token()}"])
def test_another_scheme_is_bad(authorization: str) -> None:
    assert code(authorization) == "UNAUTHORIZED"


@pytest.mark.parametrize(
    "bad",
    [
        "x",
        "null",
        "a.b.c",
        "\ud800.\ud800.\ud800",
        token(secret="f" * 32),
        token(secret="f" * 64, algorithm="HS512"),
        token(secret=SECRET * 2, algorithm="HS384"),
        jwt.encode({"sub": "ann", "roles": ["ADMIN"], "exp": SOON}, None, "none"),
        token(exp=int(time.time()) - 1),
        token(exp=0),
        token(nbf=SOON - 1),
        token(iat=SOON - 1),
        token(sub=7),
        token()[:-1],
        token() + "A",
        token(selectors="tenant"),
        token(selectors={"tenant": 1}),
        raw_token(b"[]"),
        raw_token(b"not json"),
        *(
            raw_token(b'{"sub":"a","roles":["ADMIN"],"exp":' + exp + b"}")
            for exp in (b"null", b'""', b'"x"', b"[]", b"{}", b"NaN", b"Infinity", b"-1", b"1e300")
        ),
    ],
)
def test_a_bad_token_is_unauthorized(bad: str) -> None:
    assert code(f"Bearer {bad}") == "UNAUTHORIZED"


def test_the_algorithm_of_the_token_does_not_count() -> None:
    # Signed with the secret itself, by another algorithm of the same family.
    auth = Authenticator.from_settings(Settings(auth=AuthSettings(jwt_secret=SECRET * 2)))
    assert code(f"Bearer {token(secret=SECRET * 2, algorithm='HS512')}", auth) == "UNAUTHORIZED"
    assert who(f"Bearer {token(secret=SECRET * 2)}", auth).name == "ann"


def test_an_expiry_is_needed() -> None:
    bare = jwt.encode({"sub": "ann", "roles": ["ADMIN"]}, SECRET, "HS256")
    with pytest.raises(AuthError, match="has no expiry"):
        who(f"Bearer {bare}")


def test_an_expired_token_says_so() -> None:
    with pytest.raises(AuthError, match="has expired"):
        who(f"Bearer {token(exp=1)}")


def test_errors_are_refusals() -> None:
    assert issubclass(AuthError, Refused)
    with pytest.raises(Refused) as caught:
        who(None)
    assert caught.value.code is ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"roles": ["VIEWER", "admin", "RESPONDER"]}, Role.ADMIN),
        ({"roles": "responder"}, Role.RESPONDER),
        ({"roles": None, "role": "Viewer"}, Role.VIEWER),
        ({"roles": ["viewer"], "role": ["ADMIN"]}, Role.ADMIN),
        ({"roles": ["root", 7, None, " admin "]}, Role.ADMIN),
    ],
)
def test_the_highest_role_counts(claims: dict[str, object], role: Role) -> None:
    assert who(f"Bearer {token(**claims)}").role is role


@pytest.mark.parametrize("roles", [None, [], "root", ["root"], {"ADMIN": 1}, 3, [["ADMIN"]]])
def test_a_good_token_without_a_role_is_forbidden(roles: object) -> None:
    assert code(f"Bearer {token(roles=roles)}") == "FORBIDDEN"


def test_the_claim_can_be_configured() -> None:
    claim = "https://example.org/roles"
    auth = Authenticator.from_settings(
        Settings(auth=AuthSettings(jwt_secret=SECRET, roles_claim=claim))
    )
    assert who(f"Bearer {token(**{claim: 'ADMIN'})}", auth).role is Role.ADMIN
    assert code(f"Bearer {token()}", auth) == "FORBIDDEN"


def test_what_this_server_does_not_check_does_not_matter() -> None:
    for claims in ({"aud": "other"}, {"iss": "other"}, {"iat": 1}, {"jti": "1"}):
        assert who(f"Bearer {token(**claims)}").name == "ann"


@pytest.mark.parametrize("subject", ["x" * 256, "nul\0", "\ud800"])
def test_a_subject_that_cannot_be_a_name_is_refused(subject: str) -> None:
    claims = json.dumps({"sub": subject, "roles": ["ADMIN"], "exp": SOON}).encode()
    assert code(f"Bearer {raw_token(claims)}") == "UNAUTHORIZED"


@pytest.mark.parametrize("claims", [{"sub": ""}, {}])
def test_a_token_without_a_subject(claims: dict[str, str]) -> None:
    bare = jwt.encode({"roles": "VIEWER", "exp": SOON, **claims}, SECRET, "HS256")
    assert who(f"Bearer {bare}").name == "unknown"


def test_selectors_confine() -> None:
    assert who(f"Bearer {token(selectors={'tenant': 'acme'})}").selectors == {"tenant": "acme"}
    assert who(f"Bearer {token(selectors={})}").selectors == {}


@pytest.mark.parametrize("authorization", [None, "", "Basic x", "Bearer x", f"Bearer {token()}"])
def test_in_open_mode_everyone_is_admin(authorization: str | None) -> None:
    principal = who(authorization, OPEN)
    assert principal is ANONYMOUS
    assert (principal.name, principal.role, principal.anonymous) == ("anonymous", Role.ADMIN, True)
    assert principal.expires_at is None


@pytest.mark.parametrize("held", Role)
@pytest.mark.parametrize("needed", Role)
def test_a_role_may_do_what_a_smaller_one_may(held: Role, needed: Role) -> None:
    principal = Principal(name="ann", role=held)
    if held >= needed:
        principal.require(needed)
    else:
        with pytest.raises(AuthError, match=needed.name) as caught:
            principal.require(needed)
        assert caught.value.code == "FORBIDDEN"


def test_expiry_of_a_principal() -> None:
    principal = Principal(name="ann", role=Role.VIEWER, expires_at=100.0)
    assert [principal.expired(now) for now in (99.9, 100.0, 101.0)] == [False, True, True]
    assert not ANONYMOUS.expired(1e12)


async def test_renewal_is_for_the_same_subject_only() -> None:
    current = who(f"Bearer {token()}")
    renewed = await AUTH.renew(current, Credentials(f"Bearer {token(exp=SOON + 1)}"))
    assert renewed.expires_at == SOON + 1
    confined = token(selectors={"tenant": "acme"})
    for other in (f"Bearer {token(sub='bob')}", f"Bearer {token(exp=1)}", f"Bearer {confined}"):
        with pytest.raises(AuthError) as caught:
            await AUTH.renew(current, Credentials(other))
        assert caught.value.code == "UNAUTHORIZED"


@pytest.mark.parametrize("role", Role)
def test_an_issued_token_is_accepted(role: Role) -> None:
    before = time.time()
    principal = who(f"Bearer {issue_token(SETTINGS, role, 'ann', 60)}")
    assert (principal.name, principal.role) == ("ann", role)
    assert principal.expires_at is not None
    assert before + 60 <= principal.expires_at <= time.time() + 61


def test_an_issued_token_uses_the_configured_claim() -> None:
    settings = Settings(auth=AuthSettings(jwt_secret=SECRET, roles_claim="groups"))
    issued = issue_token(settings, Role.ADMIN, "ann", 60)
    assert who(f"Bearer {issued}", Authenticator.from_settings(settings)).role is Role.ADMIN
    assert code(f"Bearer {issued}") == "FORBIDDEN"


def test_without_a_secret_no_token_is_issued() -> None:
    with pytest.raises(SettingsError, match="LIM_AUTH_JWT_SECRET"):
        issue_token(Settings(), Role.ADMIN, "ann", 60)
    with pytest.raises(SettingsError, match="year 9999"):
        issue_token(SETTINGS, Role.ADMIN, "ann", 1e15)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(AUTH)


@given(st.text())
def test_no_text_is_a_credential(text: str) -> None:
    for authorization in (text, f"Bearer {text}"):
        assert code(authorization) in ("UNAUTHENTICATED", "UNAUTHORIZED")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.sampled_from(["sub", "exp", "nbf", "iat", "aud", "iss", "jti", "roles", "selectors"]),
        json_values,
    )
)
def test_any_claims_give_a_principal_or_an_auth_error(claims: dict[str, object]) -> None:
    bearer = f"Bearer {raw_token(json.dumps(claims).encode())}"
    try:
        principal = who(bearer)
    except AuthError:
        return
    assert principal.name
    assert principal.role in Role
    assert principal.expires_at is not None
    assert principal.expires_at > time.time() - 60


def configured(**auth: object) -> Authenticator:
    return Authenticator.from_settings(Settings(auth=AuthSettings(**auth)))  # type: ignore[arg-type]


def test_only_what_is_configured_is_taken() -> None:
    text, key = new_key("ci", Role.VIEWER)
    keys = configured(api_keys={"ci": key.entry()})
    assert not keys.open
    assert keys.authenticate(Credentials(None, text)).name == "api-key:ci"
    assert code(None, keys) == "UNAUTHENTICATED"
    assert code(f"Bearer {token()}", keys) == "UNAUTHORIZED"
    both = configured(api_keys={"ci": key.entry()}, jwt_secret=SECRET)
    assert both.authenticate(Credentials(f"Bearer {token()}", text)).name == "api-key:ci"
    assert both.authenticate(Credentials(f"Bearer {token()}")).name == "ann"
    # Where no API keys are configured one says nothing.
    assert AUTH.authenticate(Credentials(f"Bearer {token()}", text)).name == "ann"
    with pytest.raises(AuthError) as caught:
        AUTH.authenticate(Credentials(None, text))
    assert caught.value.code is ErrorCode.UNAUTHENTICATED


def test_an_api_key_with_selectors_confines_too() -> None:
    text, key = new_key("ci", Role.VIEWER, selectors={"tenant": "acme"})
    auth = AuthSettings(api_keys={"ci": key.entry()})
    shown = Credentials(None, text)
    keyed = Authenticator.from_settings(Settings(auth=auth))
    assert keyed.authenticate(shown).selectors == {"tenant": "acme"}


def test_files_are_read_at_the_start_and_on_reload(tmp_path: Path) -> None:
    file, changes = tmp_path / "keys.toml", []
    auth = configured(api_keys_file=str(file))
    auth.on_change = lambda: changes.append(1)
    with rewriting(file) as keys:
        text, keys["ci"] = new_key("ci", Role.VIEWER)
    auth.reload()
    principal = auth.authenticate(Credentials(None, text))
    assert not auth.revoked(principal)
    assert not auth.revoked(Principal(name="ann", role=Role.VIEWER))
    file.write_text("no TOML")
    auth.reload()
    assert auth.authenticate(Credentials(None, text)) == principal
    file.unlink()
    auth.reload()
    assert auth.revoked(principal)
    assert len(changes) == 2
    assert [spec.id for spec in auth.children()] == ["api_keys"]
    assert configured(jwt_secret=SECRET).children() == ()


def test_files_that_cannot_be_used_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("hunter2")
    _, key = new_key("ci", Role.VIEWER)
    with rewriting(tmp_path / "keys.toml") as keys:
        keys["ci"] = key
    for auth, message in (
        ({"jwt_public_key": str(tmp_path / "no")}, "auth.jwt_public_key: cannot read"),
        ({"jwt_public_key": str(tmp_path / "bad")}, "holds no public key"),
        ({"api_keys_file": str(tmp_path / "bad")}, "auth.api_keys_file is not TOML"),
        (
            {"api_keys_file": str(tmp_path / "keys.toml"), "api_keys": {"ci": key.entry()}},
            "has 'ci', which auth.api_keys has too",
        ),
    ):
        with pytest.raises(SettingsError, match=message) as caught:
            configured(**auth)
        assert "hunter2" not in str(caught.value)
