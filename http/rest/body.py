"""The JSON body of a request: strict JSON, an object, and nothing else."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import frozen
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import parse_options_header

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.http.exchange import current
from incident_manager.http.replies import JSON

__all__ = ["JsonBody", "decode", "decode_any", "read_body", "read_optional_body", "read_raw"]

_WANTED: Final = "The body must be JSON, with the header Content-Type: application/json"

_PLAIN: Final[tuple[str, Mapping[str, str]]] = (JSON, {})
_decoder: Final = msgspec.json.Decoder()


@frozen
class JsonBody:
    """A body as it came, and what it says."""

    raw: bytes
    given: Mapping[str, Any]


async def read_body() -> JsonBody:
    """The body of the current request, which must be a JSON object.

    Raises :class:`UnsupportedMediaType` (415) and :class:`RequestEntityTooLarge` (413), and
    :class:`Refused` with BAD_USER_INPUT for what is not JSON, or not an object.
    """
    raw = await read_raw()
    return JsonBody(raw, decode(raw))


async def read_optional_body() -> JsonBody:
    """The same where there need not be a body: none says nothing, as ``{}`` does."""
    raw = await current().read()
    if not raw:
        return JsonBody(raw, {})
    _check_headers()
    return JsonBody(raw, decode(raw))


async def read_raw() -> bytes:
    """The bytes of the current request's body, said to be JSON; raises as :func:`read_body`."""
    _check_headers()
    return await current().read()


def _check_headers() -> None:
    lines = current().lines
    sent = lines.get("Content-Type")
    media_type, parameters = _PLAIN if sent == JSON else parse_options_header(sent or "")
    if media_type.lower() != JSON:
        has = "it has none" if not sent else f"it has {sent[:80]!r}"
        raise UnsupportedMediaType(f"{_WANTED}; {has}.")
    charset = parameters.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"{_WANTED} in UTF-8, not in {charset[:40]!r}.")
    coding = lines.get("Content-Encoding")
    if coding is not None and coding.lower() != "identity":
        raise UnsupportedMediaType(
            f"The body must be sent without Content-Encoding; it has {coding[:40]!r}."
        )


def decode(raw: bytes) -> dict[str, Any]:
    """The JSON object that ``raw`` is; Refused with BAD_USER_INPUT for anything else."""
    given = decode_any(raw)
    if not isinstance(given, dict):
        raise _bad("The body must be one JSON object.")
    return given


def decode_any(raw: bytes) -> Any:
    """The JSON value that ``raw`` is; Refused with BAD_USER_INPUT for what is not JSON."""
    if not raw.strip():
        raise _bad("The body is empty; it must be JSON.")
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad(f"The body is not valid JSON: {error}.") from None
    except RecursionError:
        raise _bad("The body is nested too deeply.") from None


def _bad(message: str) -> Refused:
    return Refused(ErrorCode.BAD_USER_INPUT, message)
