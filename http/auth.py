"""Who is asking: tokens, API keys, and open mode (contract section 8)."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from incident_manager.actors.errors import ErrorCode, Unavailable
from incident_manager.actors.roles import Role
from incident_manager.http.api_key_file import ApiKeyFile, read_keys
from incident_manager.http.api_keys import ApiKey, ApiKeys, read_entries
from incident_manager.http.claims import ClaimRules
from incident_manager.http.config import SettingsError
from incident_manager.http.credentials import NONE, Credentials, of_headers, of_payload
from incident_manager.http.key_keeper import KeyKeeper, Pace
from incident_manager.http.keys import OneKey, PublicKey, read_pem
from incident_manager.http.principal import (
    ANONYMOUS,
    AuthError,
    Principal,
    UnknownKeyError,
    refuse,
)
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from incident_manager.http.tokens import TokenVerifier, issue_token
from incident_manager.http.trust import KeySource, TokenTrust, token_trust
from incident_manager.supervision import Backoff, ChildSpec

__all__ = [
    "ANONYMOUS",
    "NONE",
    "AuthError",
    "Authenticator",
    "Credentials",
    "Principal",
    "Role",
    "issue_token",
    "of_headers",
    "of_payload",
]

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(initial=1.0, maximum=60.0)


class Authenticator:
    """Turns credentials into a Principal.

    Its keys may change while it is used: :meth:`children` are the actors that see to that.
    ``on_change`` is called when API keys were changed, so that connections of revoked ones end.
    """

    def __init__(
        self,
        *,
        tokens: TokenVerifier | None = None,
        api_keys: ApiKeys | None = None,
    ) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._tokens = tokens
        self._api_keys = api_keys
        self._auth = AuthSettings()
        self._keeper: KeyKeeper | None = None
        self._file: ApiKeyFile | None = None

    @classmethod
    def from_settings(cls, settings: Settings, *, pace: Pace | None = None) -> "Authenticator":
        """The authenticator that ``settings`` ask for; it reads the files that they name.

        Raises:
            SettingsError: one of them cannot be used, or the settings do not go together.
        """
        auth = settings.auth
        try:
            trust = token_trust(auth)
            tokens = None if trust is None else TokenVerifier(trust, ClaimRules.of(auth))
            keys = auth.api_keys or auth.api_keys_file
            made = cls(tokens=tokens, api_keys=ApiKeys() if keys else None)
            made._auth = auth
            if trust is not None and tokens is not None:
                made._find_keys(trust, tokens, pace)
            if auth.api_keys_file is not None:
                made._file = ApiKeyFile(Path(auth.api_keys_file), made._take_file)
            made._read_files()
        except ValueError as error:
            raise SettingsError(str(error)) from error
        return made

    @property
    def open(self) -> bool:
        """Whether no credentials are configured: everyone is ADMIN."""
        return self._tokens is None and self._api_keys is None

    @property
    def failure(self) -> str | None:
        """What is wrong with the way keys come in; those known go on."""
        if self._keeper is not None and self._keeper.failure is not None:
            return "the key server gives no keys"
        if self._file is not None and self._file.failure is not None:
            return "the file of API keys cannot be used"
        return None

    def statistics(self) -> Mapping[str, Mapping[str, object]]:
        """The figures of its actors, by their names."""
        actors = {"keys": self._keeper, "api_keys": self._file}
        return {name: actor.statistics() for name, actor in actors.items() if actor is not None}

    def children(self) -> tuple[ChildSpec, ...]:
        """The actors that keep its keys fresh, for a supervisor to run."""
        found: list[ChildSpec] = []
        if self._keeper is not None:
            found.append(
                ChildSpec("keys", self._keeper.run, kind="keys", shutdown=0, backoff=_BACKOFF)
            )
        if self._file is not None:
            found.append(
                ChildSpec("api_keys", self._file.run, kind="keys", shutdown=0, backoff=_BACKOFF)
            )
        return tuple(found)

    def authenticate(self, credentials: Credentials = NONE) -> Principal:
        """Who shows ``credentials``, by the keys known now. With both, the API key counts.

        In open mode that is ANONYMOUS, whatever was sent.

        Raises:
            AuthError: UNAUTHENTICATED where nothing was sent; UNAUTHORIZED where it is malformed,
                expired, or not good here; FORBIDDEN where it gives no role.
            Unavailable: the keys of tokens are not known yet.
        """
        if self.open:
            return ANONYMOUS
        if credentials.api_key is not None and self._api_keys is not None:
            principal = self._api_keys.verify(credentials.api_key)
        elif self._tokens is not None:
            principal = self._tokens.verify(credentials.bearer())
        elif credentials.authorization is not None:
            refuse(ErrorCode.UNAUTHORIZED, "Tokens are not taken here, API keys are: X-API-Key.")
        else:
            refuse(ErrorCode.UNAUTHENTICATED, "Credentials are needed: X-API-Key: <key>.")
        return principal

    async def identify(self, credentials: Credentials = NONE) -> Principal:
        """As :meth:`authenticate`, but where a key is not known, ask the key server first.

        It waits only then, and then for seconds at most.
        """
        try:
            return self.authenticate(credentials)
        except (UnknownKeyError, Unavailable):
            if self._keeper is None or not await self._keeper.ask():
                raise
        return self.authenticate(credentials)

    async def renew(self, current: Principal, credentials: Credentials) -> Principal:
        """Who ``current`` is from now on, by fresh credentials of the same subject.

        Raises:
            AuthError: as :meth:`identify`, and UNAUTHORIZED for another subject, or for one that
                is confined otherwise: what streams already is of the old selectors.
        """
        renewed = await self.identify(credentials)
        if (renewed.name, renewed.api_key) != (current.name, current.api_key):
            refuse(ErrorCode.UNAUTHORIZED, "The token is of another subject.")
        if renewed.selectors != current.selectors:
            refuse(ErrorCode.UNAUTHORIZED, "The token has other selectors.")
        return renewed

    def revoked(self, principal: Principal) -> bool:
        """Whether ``principal`` came by an API key that is gone, or gives something else now."""
        keys = self._api_keys
        return principal.api_key is not None and (keys is None or not keys.holds(principal))

    def reload(self) -> None:
        """Read the files anew, and have the key server asked. What cannot be used is logged, and
        leaves the keys as they are.
        """
        try:
            self._read_files()
        except ValueError as error:
            _log.error("%s; the keys known go on", error)
        if self._keeper is not None:
            self._keeper.hurry()

    def _find_keys(self, trust: TokenTrust, tokens: TokenVerifier, pace: Pace | None) -> None:
        if trust.source is KeySource.SECRET:
            tokens.learn(OneKey(self._auth.jwt_secret or ""))
        elif trust.remote:
            url = self._auth.jwks_url or self._auth.issuer or ""
            self._keeper = KeyKeeper(trust, url, tokens.learn, pace)
            if trust.audience is None:
                _log.warning(
                    "auth.audience is not set: tokens that the issuer made for other services are"
                    " taken too"
                )

    def _read_files(self) -> None:
        path, tokens = self._auth.jwt_public_key, self._tokens
        if path is not None and tokens is not None:
            tokens.learn(OneKey(_read_key(path, tokens.trust.algorithm)))
        if self._api_keys is None:
            return
        path = self._auth.api_keys_file
        try:
            self._take_file({} if path is None else read_keys(Path(path)))
        except ValueError as error:
            raise ValueError(f"auth.api_keys_file {error}") from error

    def _take_file(self, keys: Mapping[str, ApiKey]) -> None:
        known = read_entries(self._auth.api_keys)
        both = known.keys() & keys.keys()
        if both:
            raise ValueError(f"has {min(both)!r}, which auth.api_keys has too")
        if self._api_keys is not None:
            self._api_keys.learn({**known, **keys})
        self.on_change()


def _read_key(path: str, algorithm: str) -> PublicKey:
    try:
        return read_pem(Path(path).read_bytes(), algorithm)
    except OSError as error:
        raise ValueError(f"auth.jwt_public_key: cannot read {path!r}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"auth.jwt_public_key: {path!r} {error}") from error
