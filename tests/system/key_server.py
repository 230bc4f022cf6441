"""A key server as an OIDC issuer has one, which can also be slow, down, or lie.

Its keys and tokens are made by joserfc, another library than the one that verifies them.
"""

import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

__all__ = ["Answer", "KeyServer", "key_server", "make_key", "sign"]

Answer = tuple[int, dict[str, str], bytes]
_MAKERS: dict[str, Callable[[dict[str, str]], Key]] = {
    "RS256": lambda told: RSAKey.generate_key(2048, told),
    "ES256": lambda told: ECKey.generate_key("P-256", told),
    "EdDSA": lambda told: OKPKey.generate_key("Ed25519", told),
}


def make_key(name: str, algorithm: str = "ES256") -> Key:
    """A new key pair of that name (``kid``)."""
    return _MAKERS[algorithm]({"kid": name, "use": "sig", "alg": algorithm})


def sign(key: Key, *, algorithm: str = "ES256", header: Any = None, **claims: Any) -> str:
    """``Bearer`` and a token of ``ann``, a RESPONDER, good for ten minutes unless told otherwise;
    a claim that is None is left out.
    """
    all_claims = {"sub": "ann", "roles": ["RESPONDER"], "exp": int(time.time()) + 600, **claims}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # it prefers the name Ed25519 for EdDSA
        token = jwt.encode(
            {"alg": algorithm, **({"kid": key.kid} if key.kid else {}), **(header or {})},
            {name: value for name, value in all_claims.items() if value is not None},
            key,
            algorithms=[algorithm],
        )
    return f"Bearer {token}"


@define(eq=False)
class KeyServer:
    """``keys`` are what it publishes; ``lie`` is what it answers instead, if not None."""

    url: str = ""
    keys: list[Key] = field(factory=list)
    lie: Answer | None = None
    issuer: str | None = None
    """The issuer that it says it is; None: the truth."""
    headers: dict[str, str] = field(factory=dict)
    held: threading.Event = field(factory=threading.Event)
    """Cleared, it lets every request wait."""
    asked: int = 0
    """How often it was asked for the keys."""

    def __attrs_post_init__(self) -> None:
        self.held.set()

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/keys"

    def document(self) -> bytes:
        """The key set, of public parts only."""
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()

    def answer(self, path: str) -> Answer:
        self.held.wait(60)
        if path == "/keys":
            self.asked += 1
        if self.lie is not None:
            return self.lie
        kind = {"Content-Type": "application/json"}
        if path == "/.well-known/openid-configuration":
            found = {"issuer": self.issuer or self.url, "jwks_uri": self.jwks_url}
            return 200, kind, json.dumps(found).encode()
        return (
            (200, {**kind, **self.headers}, self.document()) if path == "/keys" else (404, {}, b"")
        )


@contextmanager
def key_server(*keys: Key, port: int = 0, served: KeyServer | None = None) -> Iterator[KeyServer]:
    """A key server on loopback, in threads; ``served`` comes back on its ``port`` of before."""
    found = KeyServer(keys=list(keys)) if served is None else served

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # each connection ends, so that none outlives the server

        def do_GET(self) -> None:
            status, headers, body = found.answer(self.path)
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who asked has read enough

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", port), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield found
        finally:
            found.held.set()
            server.shutdown()
            thread.join()
