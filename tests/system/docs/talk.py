"""A WebSocket client with the options of wscat that the documents use, for where Node is missing.

It sends what ``-x`` says, prints what comes, a line for each message, and leaves when its
standard input ends.
"""

import argparse
import sys
import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


def leave(socket: ClientConnection) -> None:
    """Close the connection when the input ends."""
    sys.stdin.read()
    socket.close()


def main() -> None:
    """Talk to the server."""
    parser = argparse.ArgumentParser(prog="wscat")
    parser.add_argument("-c", "--connect", required=True)
    parser.add_argument("-s", "--subprotocol", action="append")
    parser.add_argument("-w", "--wait", choices=["-1"], required=True)
    parser.add_argument("-x", "--execute", action="append", required=True)
    given = parser.parse_args()
    with connect(given.connect, subprotocols=given.subprotocol, compression=None) as socket:
        threading.Thread(target=leave, args=(socket,), daemon=True).start()
        for message in given.execute:
            socket.send(message)
        try:
            for answer in socket:
                print(answer, flush=True)
        except ConnectionClosed:
            pass  # killed, or lost: wscat leaves in silence, too


main()
