from collections.abc import Mapping

import pytest

from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.roles import Role
from incident_manager.http.claims import ClaimRules
from incident_manager.http.principal import AuthError, Principal
from incident_manager.http.sections import AuthSettings

SCOPES = {"lim:read": "VIEWER", "lim:write": "RESPONDER"}


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("a.b", {"a": {"b": ["ADMIN"]}}, Role.ADMIN),
        ("a.b", {"a.b": "VIEWER", "a": {"b": "ADMIN"}}, Role.VIEWER),
        ("a.b", {"a": "ADMIN"}, None),
        ("a.b", {"a": {"b": {"ADMIN": 1}}}, None),
        ("a.b", {"a": [{"b": "ADMIN"}]}, None),
        ("https://example.org/roles", {"https://example.org/roles": "admin"}, Role.ADMIN),
        (None, {"a": {"b": "ADMIN"}}, None),
        ("..", {"": {"": {"": "ADMIN"}}}, Role.ADMIN),
    ],
)
def test_the_path_to_a_claim(
    claim: str | None, claims: Mapping[str, object], role: Role | None
) -> None:
    assert ClaimRules(claim).role(claims) is role


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"scope": "openid lim:read"}, Role.VIEWER),
        ({"scope": "lim:read lim:write"}, Role.RESPONDER),
        ({"scp": ["lim:read"]}, Role.VIEWER),
        ({"scp": "lim:read lim:write"}, Role.RESPONDER),
        ({"scope": "LIM:READ"}, None),
        ({"scope": "lim:reader"}, None),
        ({"scope": {"lim:read": 1}}, None),
        ({"scope": "lim:read", "roles": "ADMIN"}, Role.ADMIN),
        ({"scope": "ADMIN"}, None),
    ],
)
def test_scopes(claims: Mapping[str, object], role: Role | None) -> None:
    rules = ClaimRules.of(AuthSettings(jwt_secret="s" * 32, scope_roles=SCOPES))
    assert rules.role(claims) is role
    if "roles" not in claims:
        assert ClaimRules().role(claims) is None


def test_a_principal() -> None:
    claims = {"sub": "ann", "exp": 7, "role": "viewer", "selectors": {"tenant": "acme"}}
    assert ClaimRules().principal(claims) == Principal(
        name="ann", role=Role.VIEWER, expires_at=7.0, selectors={"tenant": "acme"}
    )
    with pytest.raises(AuthError, match="bears no role"):
        ClaimRules().principal({"sub": "ann", "exp": 7})


@pytest.mark.parametrize(
    "selectors",
    [
        {"tenant": "\ud800"},
        {"\ud800": "acme"},
        {"tenant": "\0"},
        {"": ""},
        {"t" * 129: ""},
        {"tenant": "a" * 1025},
        {f"t{number}": "" for number in range(65)},
    ],
)
def test_selectors_that_nothing_can_bear(selectors: Mapping[str, str]) -> None:
    claims = {"sub": "ann", "exp": 7, "role": "viewer", "selectors": selectors}
    with pytest.raises(AuthError, match="not labels") as caught:
        ClaimRules().principal(claims)
    assert caught.value.code is ErrorCode.UNAUTHORIZED
