"""Whether what happened is what a document shows, ids and times aside.

What differs from run to run is compared by its form: times; ids and the epochs of cursors, which
besides must be the same wherever the document shows the same one. Everything else is compared
as it is. ``…`` stands for any text in a line, ``"…": "…"`` for further members of an object, and
``"…"`` at the end of a list for further items.
"""

import json
import re
from typing import Any

__all__ = ["Likeness"]

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_EPOCH = r"[0-9a-f]{32}(?=:\d)"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
_VARIES = re.compile(rf"(?P<id>{_UUID}|{_EPOCH})|(?P<time>{_TIME})|(?P<any>…)")
_GROWING = frozenset({"uptime_seconds", "uptimeSeconds"})


class Likeness:
    """What the ids in a document stand for; grows with every comparison."""

    def __init__(self) -> None:
        self.meaning: dict[str, str] = {}

    def fill(self, text: str) -> str:
        """The text with real ids in the place of the document's, as far as they are known."""
        return _VARIES.sub(lambda found: self.meaning.get(found[0], found[0]), text)

    def check_text(self, shown: str, actual: str) -> None:
        """Compare line by line; a line that is JSON is compared as JSON."""
        there, here = shown.strip().splitlines(), actual.strip().splitlines()
        if _json(shown) is not None and _json(actual) is not None:
            self.check(_json(shown), _json(actual))
            return
        assert len(there) == len(here), f"shown:\n{shown}\nin fact:\n{actual}"
        for one, other in zip(there, here, strict=True):
            left, right = _json(one), _json(other)
            if left is not None and right is not None:
                self.check(left, right)
            else:
                self._string(one.rstrip(), other.rstrip())

    def check(self, shown: Any, actual: Any, where: str = "$") -> None:
        """Compare two values of JSON."""
        if isinstance(shown, dict) and isinstance(actual, dict):
            more = "…" in shown
            names = set(shown) - {"…"}
            missing, extra = names - set(actual), set(actual) - names
            assert not missing, f"{where}: {sorted(missing)} not in {actual}"
            assert more or not extra, f"{where}: {sorted(extra)} not shown, in {actual}"
            for name in names:
                if name in _GROWING and type(shown[name]) is type(actual[name]):
                    continue
                self.check(shown[name], actual[name], f"{where}.{name}")
        elif isinstance(shown, list) and isinstance(actual, list):
            if shown and shown[-1] == "…":
                shown, actual = shown[:-1], actual[: len(shown) - 1]
            assert len(shown) == len(actual), f"{where}: shown {shown}, in fact {actual}"
            for place, (one, other) in enumerate(zip(shown, actual, strict=True)):
                self.check(one, other, f"{where}[{place}]")
        elif isinstance(shown, str) and isinstance(actual, str):
            self._string(shown, actual, where)
        else:
            assert shown == "…" or (type(shown) is type(actual) and shown == actual), (
                f"{where}: shown {shown!r}, in fact {actual!r}"
            )

    def _string(self, shown: str, actual: str, where: str = "") -> None:
        pattern, place = "", 0
        ids: list[str] = []
        for found in _VARIES.finditer(shown):
            pattern += re.escape(shown[place : found.start()])
            place = found.end()
            if found["time"]:
                pattern += _TIME
            elif found["any"]:
                pattern += ".*"
            else:
                known = self.meaning.get(found[0])
                form = _UUID if "-" in found[0] else _EPOCH
                pattern += f"({form if known is None else re.escape(known)})"
                ids.append(found[0])
        pattern += re.escape(shown[place:])
        match = re.fullmatch(pattern, actual)
        assert match, f"{where} shown: {shown}\n  in fact: {actual}"
        for known, real in zip(ids, match.groups(), strict=True):
            self.meaning[known] = real


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict | list) else None
