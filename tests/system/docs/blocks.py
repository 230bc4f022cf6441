"""Markdown as these tests need it: the fenced blocks, and what a comment above each says of it.

A block is marked by an HTML comment on the line above its fence, which no reader sees:

- ``<!-- not run: reason -->``: left out, and the reason is printed.
- ``<!-- output -->``: what the shell or Python block before it prints.
- ``<!-- output of wscat -->``: the lines that the open wscat prints next.
- ``<!-- send -->``: a message for a WebSocket; ``send on a new connection`` opens one first.
- ``<!-- receive -->``: the message that comes next on it.
- ``<!-- closes 4401 -->``: the block is a message that makes the server close so.
- ``<!-- variables -->``, ``<!-- result -->``: of the GraphQL block before it.
- ``<!-- file: NAME -->``: is written to a file of that name.
- ``<!-- client: NAME -->``: a program of that name, which tests/system/clients run.
- ``<!-- banner -->``: the first lines that the server prints.
- ``<!-- picture -->``: is only looked at.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

__all__ = ["ROOT", "Block", "blocks", "documents", "prose"]

ROOT = Path(__file__).parents[3]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>[\w-]*)[^`]*$")
_MARK = re.compile(r"^<!--\s*(?P<text>.*?)\s*-->$")


@frozen
class Block:
    """One fenced block: ``line`` is that of its fence, ``mark`` what the comment above says."""

    path: Path
    line: int
    language: str
    text: str
    mark: str = ""

    @property
    def place(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """The Markdown files that people read."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """Every fenced block of a document, in order."""
    fence = indent = language = mark = ""
    start = 0
    body: list[str] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = _FENCE.match(line)
        if fence:
            if found and found["fence"] == fence and not found["language"]:
                text = "\n".join(body) + "\n"
                yield Block(path, start, language, text, mark)
                fence = mark = ""
            else:
                body.append(line.removeprefix(indent))
        elif found:
            fence, indent, language = found["fence"], found["indent"], found["language"]
            start, body = number, []
        elif line.strip():
            comment = _MARK.match(line.strip())
            mark = comment["text"] if comment else ""
    assert not fence, f"{path.name}:{start}: the block has no end"


def prose(path: Path) -> str:
    """The text of a document without its fenced blocks; the lines keep their numbers."""
    lines: list[str] = []
    fence = ""
    for line in path.read_text().splitlines():
        found = _FENCE.match(line)
        if fence:
            if found and found["fence"] == fence and not found["language"]:
                fence = ""
            lines.append("")
        elif found:
            fence = found["fence"]
            lines.append("")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
