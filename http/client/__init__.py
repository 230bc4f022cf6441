"""A client for Incident Manager that stays connected: Trio, GraphQL over WebSocket.

::

    async with open_client("ws://localhost:8080/graphql/ws", token=get_token) as client:
        async for message in client.subscribe("subscription { newIncidents { id title } }"):
            print(message.data, message.cursor)

It reconnects by itself, resumes every subscription by its cursor so that no event is missed or
repeated, renews its token, and bounds its buffers. It needs no part of the server.
"""

from incident_manager.http.client.client import Client
from incident_manager.http.client.errors import (
    ClientClosed,
    ClientError,
    OperationFailed,
    OutcomeUnknown,
    Refused,
    TokenFailed,
    Unreachable,
)
from incident_manager.http.client.events import (
    ClientEvent,
    Connected,
    Disconnected,
    TokenRenewed,
)
from incident_manager.http.client.message import Gap, Message
from incident_manager.http.client.opening import open_client
from incident_manager.http.client.reconnect import Backoff
from incident_manager.http.client.subscription import Subscription
from incident_manager.http.client.switchboard import ClientStatistics
from incident_manager.http.client.token import TokenSource

__all__ = [
    "Backoff",
    "Client",
    "ClientClosed",
    "ClientError",
    "ClientEvent",
    "ClientStatistics",
    "Connected",
    "Disconnected",
    "Gap",
    "Message",
    "OperationFailed",
    "OutcomeUnknown",
    "Refused",
    "Subscription",
    "TokenFailed",
    "TokenRenewed",
    "TokenSource",
    "Unreachable",
    "open_client",
]
