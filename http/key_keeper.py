"""The actor that keeps the keys of a key server fresh, and goes on with old ones in an outage."""

import logging
import random
from collections.abc import Callable

import httpx
import trio
from attrs import frozen

from incident_manager.http.jwks import BadKeySet, read_key_set
from incident_manager.http.key_server import Answer, KeyServerError, fetch_keys
from incident_manager.http.keys import KeySet
from incident_manager.http.trust import TokenTrust
from incident_manager.supervision import Child

__all__ = ["KeyKeeper", "Pace"]

_log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Pace:
    """How often to ask (seconds). ``on_demand`` is what lies at least between two fetches that
    tokens with unknown keys ask for; ``patience`` is for one fetch, discovery included.
    """

    usual: float = 600.0
    shortest: float = 60.0
    longest: float = 3600.0
    first_retry: float = 1.0
    last_retry: float = 60.0
    on_demand: float = 5.0
    patience: float = 10.0

    def fresh_for(self, max_age: float | None) -> float:
        """How long keys are good that the key server says are good for ``max_age``."""
        wanted = self.usual if max_age is None else max_age
        return min(max(wanted, self.shortest), self.longest)

    def retry_after(self, failures: int) -> float:
        """The longest wait after so many failures (1 and more) in a row."""
        return min(self.last_retry, self.first_retry * 2.0 ** min(failures - 1, 30))


class KeyKeeper:
    """Fetches at the start, before the keys get old, and when a token names an unknown one.

    ``took`` is called with every key set that can be used. What cannot is logged once for each
    outage, and leaves the keys as they are.
    """

    def __init__(
        self, trust: TokenTrust, url: str, took: Callable[[KeySet], None], pace: Pace | None = None
    ) -> None:
        self._trust = trust
        self._url = url
        self._took = took
        self._pace = Pace() if pace is None else pace
        self._wanted = trio.Event()
        self._done = trio.Event()
        self._fetching = True  # the first fetch comes without being asked for
        self._not_before = 0.0
        self._fetches = 0
        self._failures = 0
        self._failure: str | None = None
        self._keys = 0

    @property
    def failure(self) -> str | None:
        """Why the last fetch failed; None where it did not, or has not ended yet."""
        return self._failure

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree."""
        return {
            "keys": self._keys,
            "fetches": self._fetches,
            "failures_in_a_row": self._failures,
            "failure": self._failure,
        }

    async def run(
        self,
        child: Child,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep the keys fresh until cancelled (a body of the supervisor).

        Ready at once: a server whose key server is down starts all the same.
        """
        child.observe(self.statistics)
        task_status.started()
        # Its lines tell of each request, at the level of ours.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        # Made in a thread: it reads the certificates of all authorities.
        async with await trio.to_thread.run_sync(self._client) as client:
            while True:
                pause = await self._fetch(client)
                with trio.move_on_after(pause):
                    await self._wanted.wait()
                self._wanted = trio.Event()

    async def ask(self) -> bool:
        """Wait for a fetch because a token names a key that is not known.

        One for all who wait, and not more often than the pace allows; False where there is none.
        """
        if not self._fetching:
            if trio.current_time() < self._not_before:
                return False
            self._not_before = trio.current_time() + self._pace.on_demand
            self._wanted.set()
        done = self._done
        with trio.move_on_after(self._pace.patience + 1.0):
            await done.wait()
        return done.is_set()

    def hurry(self) -> None:
        """Fetch now; does not wait for it."""
        self._wanted.set()

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            timeout=self._pace.patience / 2,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=1),
        )

    async def _fetch(self, client: httpx.AsyncClient) -> float:
        """Fetch once; the pause after it."""
        self._fetching = True
        self._fetches += 1
        try:
            with trio.fail_after(self._pace.patience):
                answer = await fetch_keys(client, self._trust, self._url)
            return self._learn(answer)
        except trio.TooSlowError:
            return self._fail("it did not answer in time")
        except (KeyServerError, BadKeySet) as error:
            return self._fail(str(error))
        finally:
            self._fetching = False
            self._done.set()
            self._done = trio.Event()

    def _learn(self, answer: Answer) -> float:
        keys = read_key_set(answer.body, self._trust.algorithm)
        self._took(keys)
        if self._failures or not self._keys:
            _log.info("the key server answers: %d key(s)", len(keys))
        self._keys = len(keys)
        self._failures = 0
        self._failure = None
        return self._pace.fresh_for(answer.max_age)

    def _fail(self, reason: str) -> float:
        self._failures += 1
        if self._failure != reason:
            goes_on = "the keys known go on" if self._keys else "no keys are known yet"
            _log.warning("the key server: %s; %s", reason, goes_on)
        self._failure = reason
        longest = self._pace.retry_after(self._failures)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- so that servers do not ask at once  # nosec B311
