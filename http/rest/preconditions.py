"""Versions as entity tags: ETag and If-Match (RFC 9110, sections 8.8.3 and 13.1.1)."""

import re
from typing import Final

from incident_manager.http.rest.problems import FieldError, InvalidFields

__all__ = ["etag", "expected_version"]

_TAG: Final = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """The strong tag of a version: the number in quotes."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that ``If-Match`` asks for; None without one, and for ``*``.

    Raises :class:`InvalidFields` for what is not one strong tag as :func:`etag` writes it.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        what = 'If-Match must be one ETag as it was sent, like "3" with its quotes, or *'
        raise InvalidFields([FieldError("If-Match", what)])
    return int(found[1])
