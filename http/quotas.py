"""Who is asking too much: of requests, and of sign-ins that fail."""

from collections.abc import Hashable
from typing import Final

from incident_manager.http.addresses import address_key
from incident_manager.http.principal import Principal
from incident_manager.http.proxies import NOBODY, Trust
from incident_manager.http.rates import RateLimited, Rates, Spent

__all__ = ["FAILURES", "Allowance", "Quotas"]

FAILURES: Final = 120
"""Sign-ins of one address that may fail in a minute; then none of it is looked at for a while."""

_LOCAL: Final = "this machine"


class Quotas:
    """The buckets of one server.

    ``per_minute`` are the requests of a principal; where the server is open, or nobody has said
    who they are, of an address. Failed sign-ins are counted by address, whatever ``per_minute``
    is, but not of loopback and of who is ``trusted``: behind a proxy are many clients.
    """

    __slots__ = ("_failures", "_requests", "_trusted")

    def __init__(self, per_minute: int, trusted: Trust = NOBODY) -> None:
        self._requests = Rates(per_minute)
        self._failures = Rates(FAILURES)
        self._trusted = trusted

    def ask(self, who: Principal | None, host: str | None, now: float) -> Spent | None:
        """A request, or an operation of a WebSocket, has come; None where there is no limit.

        ``who`` is None for those who have not said it. ``host`` is the client's address; None is
        a Unix socket.
        """
        if not self._requests.limit:
            return None
        if who is None or who.anonymous:
            key: Hashable = _LOCAL if host is None else address_key(host) or _LOCAL
        else:
            key = (who.name, who.api_key, *sorted(who.selectors.items()))
        return self._requests.spend(key, now)

    def check_sign_in(self, host: str | None, now: float) -> None:
        """Raises :class:`RateLimited` where too many sign-ins of the address have failed."""
        key = self._counted(host)
        wait = 0 if key is None else self._failures.wait(key, now)
        if wait:
            raise RateLimited("Too many sign-ins of this address have failed.", wait)

    def sign_in_failed(self, host: str | None, now: float) -> None:
        """Somebody at that address has shown credentials that are not good."""
        key = self._counted(host)
        if key is not None:
            self._failures.spend(key, now)

    def _counted(self, host: str | None) -> object:
        return None if host is None else address_key(host, self._trusted)


class Allowance:
    """How many commands one operation may bring: the first came with it, each other one counts as
    a request does.
    """

    __slots__ = ("_begun", "_host", "_quotas", "_who")

    def __init__(self, quotas: Quotas, who: Principal, host: str | None) -> None:
        self._quotas = quotas
        self._who = who
        self._host = host
        self._begun = False

    def take(self, commands: int, now: float) -> tuple[int, RateLimited | None]:
        """How many of the next commands are let in, and why the others are not."""
        for number in range(commands):
            if not self._begun:
                self._begun = True
                continue
            spent = self._quotas.ask(self._who, self._host, now)
            if spent is not None and not spent.allowed:
                return number, spent.refusal()
        return commands, None
