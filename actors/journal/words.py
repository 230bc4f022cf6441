"""Search by words: what a word is, what an incident is found by, and what a text asks for.

Cutting is done here and not by a tokenizer of SQLite, so that every journal finds the same.
Letters count without their case and marks (NFKD): ``Überlauf`` is found by ``uberlauf``.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from attrs import frozen

from incident_manager.actors.model import Incident

__all__ = ["Wanted", "mark", "searched", "wanted", "words"]

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 64
"""Of a longer word only so many characters count."""
_MOST = 32
"""More words than this nobody asks for."""
_LEAST = 2
"""A beginning of a word has at least so many characters."""


def words(text: str) -> str:
    """The words of a text in their order, with one space between; '' if it has none."""
    if text.isascii():
        folded = text.lower()
    else:
        parts = unicodedata.normalize("NFKD", text)
        folded = "".join(each for each in parts if not unicodedata.combining(each)).casefold()
    return " ".join(word[:_LONGEST] for word in _WORD.findall(folded))


def mark(key: str, value: str) -> str:
    """One word that stands for a label, and for no other (128 bits of BLAKE2b, in hex).

    Raises ValueError for text that UTF-8 cannot hold.
    """
    return hashlib.blake2b(f"{len(key)}:{key}{value}".encode(), digest_size=16).hexdigest()


def searched(incident: Incident) -> tuple[str, str]:
    """The words of the title, and those of the description, the source and the label values."""
    rest = " ".join((incident.description, incident.source, *incident.labels.values()))
    return words(incident.title), words(rest)


@frozen
class Wanted:
    """What a text asks for: every word, and something that begins with ``beginning``."""

    words: tuple[str, ...]
    beginning: str | None

    def __bool__(self) -> bool:
        return bool(self.words or self.beginning)

    def found_in(self, present: Iterable[str]) -> bool:
        """All of it is among the words that are present."""
        there = frozenset(present)
        return there.issuperset(self.words) and (
            self.beginning is None or any(each.startswith(self.beginning) for each in there)
        )


def wanted(text: str) -> Wanted:
    """The last word of a text may be the beginning of one. Raises ValueError for over 32 words."""
    found = words(text).split()
    if len(found) > _MOST:
        raise ValueError(f"query has {len(found)} words; it can have at most {_MOST}")
    if not found or len(found[-1]) < _LEAST:
        return Wanted(tuple(found), None)
    return Wanted(tuple(found[:-1]), found[-1])
