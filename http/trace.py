"""The ``traceparent`` of a request (W3C Trace Context, level 1, section 3.2)."""

import re
from typing import Final

__all__ = ["read_traceparent"]

_LENGTH: Final = 55
_FORM: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})"
    r"-(?!0{32})[0-9a-f]{32}"
    r"-(?!0{16})[0-9a-f]{16}"
    r"-[0-9a-f]{2}"
)


def read_traceparent(header: object) -> str | None:
    """The header's value if it is well-formed, else None: then there is no trace to go on with.

    Of a version after 00, which may say more, the part that version 00 has is kept.
    """
    if not isinstance(header, str):
        return None
    text = header.strip()
    found = _FORM.match(text)
    if found is None:
        return None
    later = found["version"] != "00" and text[_LENGTH : _LENGTH + 1] == "-"
    return found[0] if later or len(text) == _LENGTH else None
