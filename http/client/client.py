"""The client as its user has it."""

import re
from collections.abc import Mapping
from typing import Any

from incident_manager.http.client.subscription import Subscription
from incident_manager.http.client.switchboard import ClientStatistics, Switchboard

__all__ = ["Client"]

_CHANGE = re.compile(r"\bmutation\b")


class Client:
    """Made by ``open_client``, and good inside its block; for any number of tasks at a time."""

    __slots__ = ("_board",)

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        cursor: str | None = None,
    ) -> Subscription:
        """Subscribe, from ``cursor`` on or from now on; see :class:`Subscription`.

        Raises:
            ClientError: the client has given up or is closed.
        """
        return Subscription(
            self._board, self._board.subscribe(query, variables, operation_name, cursor)
        )

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """Run a query or a mutation and return its ``data``; waits until there is a connection.

        Args:
            repeatable: it may be sent again where the connection was lost before the answer. By
                default that is so of documents without a mutation in them.

        Raises:
            OperationFailed: the answer has errors (and maybe data besides).
            OutcomeUnknown: the connection was lost, and it is not repeatable.
            ClientError: the client has given up or is closed.
        """
        again = not _CHANGE.search(query) if repeatable is None else repeatable
        return await self._board.execute(query, variables, operation_name, again=again)

    def statistics(self) -> ClientStatistics:
        """How it does at this moment."""
        return self._board.statistics()
