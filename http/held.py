"""What the server holds open for a client: a WebSocket, or a stream of events."""

from typing import Protocol

__all__ = ["Held"]


class Held(Protocol):
    """An open connection, as far as the whole server is concerned with it."""

    @property
    def waiting(self) -> int:
        """How many messages are in its outbox."""
        ...

    @property
    def subscriptions(self) -> int:
        """How many subscriptions run on it."""
        ...

    def statistics(self) -> dict[str, object]:
        """Its live figures for the actor tree."""
        ...

    def go_away(self) -> None:
        """The server stops: end it so that its client comes back."""
        ...

    def recheck(self) -> None:
        """End it if the API key that it was opened with is not good any more."""
        ...
