"""The section ``limits`` of the settings: what one client may cost."""

from typing import Annotated, Final

from attrs import frozen

from incident_manager.http.about import About

__all__ = ["LimitSettings"]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_DAY: Final = 86_400.0


@frozen(kw_only=True)
class LimitSettings:
    """What one client may cost. 0 means no limit where it is allowed."""

    connections_per_address: Annotated[
        int,
        About(
            "WebSockets and event streams of one address (of IPv6, of its first 64 bits), then "
            "429. Loopback and trusted proxies are not counted. 0: no limit.",
            least=0,
        ),
    ] = 100
    subscriptions_per_connection: Annotated[
        int, About("Subscriptions at a time on one connection. 0: no limit.", least=0)
    ] = 10
    messages_per_second: Annotated[
        int,
        About(
            "Messages read from one connection a second; then it is not read from for a while. "
            "0: no limit.",
            least=0,
        ),
    ] = 100
    message_bytes: Annotated[
        int, About("Largest WebSocket message, then 1009. 0: no limit.", least=0)
    ] = 256 * _KIB
    subscription_depth: Annotated[int, About("Depth of a subscription. 0: no limit.", least=0)] = 10
    subscription_complexity: Annotated[
        int, About("Fields of a subscription. 0: no limit.", least=0)
    ] = 100
    query_depth: Annotated[int, About("Depth of a query or mutation. 0: no limit.", least=0)] = 15
    query_complexity: Annotated[
        int, About("Fields of a query or mutation. 0: no limit.", least=0)
    ] = 1000
    requests_per_minute: Annotated[
        int,
        About(
            "Requests and WebSocket operations of one principal a minute, and each alert or change "
            "of a batch, a webhook or a mutation; without credentials, of one address. Then 429. "
            "0: no limit.",
            least=0,
        ),
    ] = 0
    query_timeout: Annotated[
        float,
        About(
            "Time that a query or a read may take, then TIMEOUT (504).",
            least=0.001,
            most=_DAY,
            unit="s",
        ),
    ] = 30.0
    init_timeout: Annotated[
        float,
        About(
            "Time a client has to send connection_init, then 4408.",
            least=0.01,
            most=_DAY,
            unit="s",
        ),
    ] = 60.0
    stall_timeout: Annotated[
        float,
        About(
            "A reader that takes nothing for this long is cut off; it can resume by cursor.",
            least=0.01,
            most=_DAY,
            unit="s",
        ),
    ] = 30.0
    outbox_bytes: Annotated[
        int,
        About(
            "Bytes waiting for one connection before it reads on from the journal.",
            least=4 * _KIB,
        ),
    ] = 1 * _MIB
