"""From the claims of a verified token to a principal: its name, role, selectors and expiry."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import field, frozen

from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.roles import Role
from incident_manager.http.principal import Principal, can_confine, refuse
from incident_manager.http.sections import AuthSettings

__all__ = ["ClaimRules"]


@frozen
class ClaimRules:
    """Where in a token the roles are.

    ``roles_claim`` None stands for ``roles`` and ``role``. It names a claim, or, where there is no
    claim of that name, the path to one inside of others (``realm_access.roles``). ``scope_roles``
    says which role a scope gives (``scope``, RFC 8693 section 4.2, or ``scp``). Of all of them
    the highest counts.
    """

    roles_claim: str | None = None
    scope_roles: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, auth: AuthSettings) -> "ClaimRules":
        """The rules that the settings ask for."""
        return cls(auth.roles_claim, auth.scope_roles)

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Who bears these claims; ``exp`` is there and a number.

        Raises:
            AuthError: UNAUTHORIZED where a claim cannot be used, FORBIDDEN where no role is among
                them.
        """
        role = self.role(claims)
        selectors = _selectors(claims)
        if role is None:
            refuse(ErrorCode.FORBIDDEN, "The token bears no role.")
        return Principal(
            name=_subject(claims),
            role=role,
            expires_at=float(claims["exp"]),
            selectors=selectors,
        )

    def role(self, claims: Mapping[str, Any]) -> Role | None:
        """The highest role that these claims give."""
        spelled = {name.strip().upper() for name in self._names(claims)}
        return max((role for role in Role if role.name in spelled), default=None)

    def _names(self, claims: Mapping[str, Any]) -> Iterator[str]:
        paths = ("roles", "role") if self.roles_claim is None else (self.roles_claim,)
        for path in paths:
            yield from _texts(_at(claims, path))
        if self.scope_roles:
            for claim in ("scope", "scp"):
                for text in _texts(claims.get(claim)):
                    for scope in text.split(" "):
                        if scope in self.scope_roles:
                            yield self.scope_roles[scope]


def _at(claims: Mapping[str, Any], path: str) -> object:
    """The claim of that name, be there dots in it, else what the path leads to."""
    if path in claims:
        return claims[path]
    found: object = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _texts(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str):
            yield item


def _subject(claims: Mapping[str, Any]) -> str:
    """``sub``: it goes into records and is shown, so it must be text of a sensible length."""
    name = claims.get("sub") or "unknown"
    try:
        usable = len(name) <= 255 and b"\0" not in name.encode()
    except UnicodeEncodeError:
        usable = False
    if not usable:
        refuse(ErrorCode.UNAUTHORIZED, "The token's subject (claim sub) is not usable as a name.")
    return str(name)


def _selectors(claims: Mapping[str, Any]) -> Mapping[str, str]:
    given = claims.get("selectors")
    if given is None:
        return MappingProxyType({})
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        refuse(ErrorCode.UNAUTHORIZED, "The token's selectors are not a map of strings.")
    if not can_confine(given):
        refuse(ErrorCode.UNAUTHORIZED, "The token's selectors are not labels that can be borne.")
    return MappingProxyType(given)
