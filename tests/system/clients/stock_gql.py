"""The stock gql with its own reconnecting session: subscribes, and prints what comes of it.

With LEAVE it unsubscribes after the first result. A subscription ends with its connection, so the
loop around it is the program's; the connection itself is gql's to bring back.
"""

import asyncio
import json
import os
import sys

from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

FOLLOW = "subscription { newIncidents { id title } }"


async def main(url: str, query: str = FOLLOW) -> None:
    protocols = [WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL]
    client = Client(transport=WebsocketsTransport(url, subprotocols=protocols))
    session = await client.connect_async(reconnecting=True)
    while True:
        try:
            async for result in session.subscribe(gql(query)):
                print(json.dumps(result), flush=True)
                if "LEAVE" in os.environ:
                    break
            print("complete", flush=True)
            await asyncio.Event().wait()
        except TransportQueryError as error:
            print("error", error.errors, flush=True)
            await asyncio.Event().wait()
        except TransportError as error:
            print("lost", repr(error), flush=True)
            await asyncio.sleep(0.1)


asyncio.run(main(*sys.argv[1:]))
