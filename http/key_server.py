"""Ask a key server for its key set: by its URL, or by the issuer's discovery document.

It is not trusted to be quick, small, or right: every answer is bounded in time and size, nothing
is followed elsewhere, and what cannot be used is an error that changes nothing.
"""

import re
from typing import Final

import httpx
import trio
from attrs import frozen

from incident_manager.http.jwks import BadKeySet, read_object
from incident_manager.http.trust import KeySource, TokenTrust, check_url

__all__ = ["MOST_BYTES", "Answer", "KeyServerError", "fetch_keys", "max_age"]

MOST_BYTES: Final = 256 * 1024
"""Bytes of an answer at most."""
_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age=\"?([0-9]{1,10})", re.IGNORECASE)
# A compressed answer could be small on the way and giant in memory.
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}


class KeyServerError(Exception):
    """The key server gave no answer that can be used. The text says why, and names no URL."""


@frozen
class Answer:
    """A body, and for how many seconds it is said to be good (None: nothing is said)."""

    body: bytes
    max_age: float | None


async def fetch_keys(client: httpx.AsyncClient, trust: TokenTrust, url: str) -> Answer:
    """The key set at ``url``, or of the issuer ``url`` (OpenID Connect Discovery 1.0, section 4).

    Raises:
        KeyServerError: it does not answer, or not with 200, or with too much.
        BadKeySet: the discovery document is not of that issuer, or names no place of the keys.
    """
    if trust.source is KeySource.DISCOVERY:
        url = _jwks_uri((await _get(client, url.rstrip("/") + _WELL_KNOWN)).body, url)
    return await _get(client, url)


def max_age(cache_control: str | None) -> float | None:
    """The seconds that ``Cache-Control`` gives (RFC 9111 section 5.2.2); 0 for ``no-cache``."""
    text = cache_control or ""
    if re.search(r"\bno-(?:cache|store)\b", text, re.IGNORECASE):
        return 0.0
    found = _MAX_AGE.search(text)
    return None if found is None else float(found[1])


def _jwks_uri(document: bytes, issuer: str) -> str:
    found = read_object(document)
    # Section 4.3: MUST be identical.
    if found.get("issuer") != issuer:
        raise BadKeySet("the discovery document is of another issuer")
    url = found.get("jwks_uri")
    if not isinstance(url, str):
        raise BadKeySet("the discovery document has no jwks_uri")
    try:
        check_url(url)
    except ValueError as error:
        raise BadKeySet(f"the jwks_uri of the discovery document {error}") from error
    return url


async def _get(client: httpx.AsyncClient, url: str) -> Answer:
    try:
        async with client.stream("GET", url, headers=_HEADERS) as response:
            if response.status_code != 200:
                raise KeyServerError(f"it answered {response.status_code}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise KeyServerError("it answered in an encoding that was not asked for")
            body = bytearray()
            # Cancelled, what reads it comes to an orderly end.
            with trio.CancelScope() as reading:
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        reading.cancel()
            if reading.cancelled_caught or len(body) > MOST_BYTES:
                raise KeyServerError(f"its answer is longer than {MOST_BYTES} bytes")
            return Answer(bytes(body), max_age(response.headers.get("Cache-Control")))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # a name that is no name
        raise KeyServerError(f"it does not answer ({type(error).__name__})") from error
