"""How the connection does, in words: from what the client says of it."""

from attrs import evolve, frozen

from incident_manager.http.client import ClientEvent, Connected, Disconnected
from incident_manager.http.watch.words import safe

__all__ = ["LinkState"]


@frozen
class LinkState:
    """``live`` since ``since``, or lost since then for a ``reason``; the next try is at ``again``.

    ``resumed`` is when the stream last went on after a loss, ``losses`` how often it was lost.
    """

    live: bool = False
    since: float = 0.0
    reason: str | None = None
    again: float = 0.0
    tries: int = 0
    losses: int = 0
    resumed: float | None = None

    def after(self, event: ClientEvent, now: float) -> "LinkState":
        """What an event makes of it."""
        match event:
            case Connected(number=number):
                resumed = now if number > 1 else self.resumed
                return evolve(self, live=True, since=now, reason=None, tries=0, resumed=resumed)
            case Disconnected(reason=reason, retry_in=delay, failures=failures):
                return evolve(
                    self,
                    live=False,
                    since=now if self.live else self.since,
                    reason=safe(reason),
                    again=now + delay,
                    tries=failures,
                    losses=self.losses + self.live,
                )
            case _:
                return self

    def line(self, now: float) -> str:
        """What there is to say of it just now, in one line."""
        if self.live:
            return "connected" if self.resumed is None else "connected again, nothing was missed"
        if self.reason is None:
            return "connecting"
        wait = max(0.0, self.again - now)
        return f"no connection: {self.reason}; try {self.tries + 1} in {wait:.1f} s"
