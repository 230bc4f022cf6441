"""What a client shows to say who it is: a token or an API key, in headers or in connection_init."""

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import field, frozen

from incident_manager.actors.errors import ErrorCode
from incident_manager.http.principal import refuse

__all__ = ["API_KEY_HEADER", "NONE", "Credentials", "of_headers", "of_payload"]

API_KEY_HEADER: Final = "X-API-Key"


@frozen
class Credentials:
    """As they were sent: the value of ``Authorization``, and that of ``X-API-Key``."""

    authorization: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """Whether anything was sent."""
        return self.authorization is not None or self.api_key is not None

    def bearer(self) -> str:
        """The token of ``Authorization: Bearer`` (in any case; RFC 6750 section 2.1).

        Raises:
            AuthError: UNAUTHENTICATED without one, UNAUTHORIZED for another scheme.
        """
        scheme, _, token = (self.authorization or "").strip().partition(" ")
        token = token.strip()
        if not scheme or (scheme.lower() == "bearer" and not token):
            refuse(
                ErrorCode.UNAUTHENTICATED, "Credentials are needed: Authorization: Bearer <token>."
            )
        if scheme.lower() != "bearer":
            refuse(ErrorCode.UNAUTHORIZED, "The Authorization must be: Bearer <token>.")
        return token


NONE: Final = Credentials()
"""Nothing was sent."""


def of_payload(payload: object) -> Credentials:
    """The credentials of a ``connection_init`` payload: names in any case.

    What is not a string is no credential. The first one of each in the payload's order counts.
    """
    if not isinstance(payload, Mapping):
        return NONE
    found: dict[str, str] = {}
    for key, value in payload.items():
        if isinstance(key, str) and isinstance(value, str):
            found.setdefault(key.lower(), value)
    return Credentials(found.get("authorization"), found.get(API_KEY_HEADER.lower()))


def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> Credentials:
    """The credentials of a request's headers as ASGI has them: the first one of each counts."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found.setdefault(name.lower(), value)
    values = (found.get(b"authorization"), found.get(API_KEY_HEADER.lower().encode()))
    return Credentials(*(None if value is None else value.decode("latin-1") for value in values))
