"""Answers of the HTTP surface: JSON, and nothing that a cache may keep."""

from collections.abc import Mapping
from typing import Final

import msgspec
from quart_trio.wrappers import TrioResponse

__all__ = ["JSON", "bare", "json_reply", "text_reply"]

JSON: Final = "application/json"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


_encoder: Final = msgspec.json.Encoder(enc_hook=_plain)


def json_reply(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    media_type: str = JSON,
) -> TrioResponse:
    """``value`` as JSON and a line end; what JSON cannot say is said as its ``str``."""
    body = _encoder.encode(value) + b"\n"
    return TrioResponse(body, status, dict(headers or {}), content_type=media_type)


def text_reply(text: str) -> TrioResponse:
    """Plain text in UTF-8."""
    return TrioResponse(text, content_type="text/plain; charset=utf-8")


def bare(status: int, headers: Mapping[str, str]) -> TrioResponse:
    """A status and headers, without a body."""
    response = TrioResponse(b"", status, dict(headers))
    del response.headers["Content-Type"]
    return response
