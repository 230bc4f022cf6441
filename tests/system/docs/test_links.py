"""Every link in a Markdown file leads somewhere, and nothing names a place of one machine."""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from system.docs.blocks import ROOT, blocks, prose

HIDDEN = {".venv", ".cache", ".git", "node_modules", ".pytest_cache", ".hypothesis", ".ruff_cache"}
FILES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if HIDDEN.isdisjoint(path.relative_to(ROOT).parts) and "src" not in path.relative_to(ROOT).parts
]
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<to>[^()\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(?P<text>.*?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
MACHINE = re.compile(r"(?<![\w.:/-])/(?:home|root|work|Users|tmp|var|mnt)/|[A-Z]:\\")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def slugs(path: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for heading in HEADING.finditer(prose(path)):
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"])
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def links(path: Path) -> list[str]:
    return [found["to"] for found in LINK.finditer(CODE.sub("", prose(path)))]


def test_the_checker_sees_the_links() -> None:
    assert "docs/ARCHITECTURE.md" in links(ROOT / "README.md")
    assert "the-journals-file" in slugs(ROOT / "docs" / "SETTINGS.md")
    assert "server" in slugs(ROOT / "docs" / "SETTINGS.md")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_links(path: Path) -> None:
    for link in links(path):
        if link.startswith(("https://", "http://")):
            continue
        assert re.match(r"[^/:]+(?=[/#]|$)|#", link), f"{link} is no relative link"
        target, _, anchor = link.partition("#")
        place = (path.parent / unquote(target)).resolve() if target else path
        assert place.exists(), f"{link}: there is no such file"
        assert place.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor:
            assert anchor in slugs(place), f"{link}: {place.name} has no such heading"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_place_of_one_machine(path: Path) -> None:
    assert MACHINE.search(path.read_text()) is None


@pytest.mark.parametrize("path", FILES, ids=name)
def test_contents(path: Path) -> None:
    """A list of contents names every section, in its order."""
    listed = [link[1:] for link in links(path) if link.startswith("#")]
    top = re.findall(r"^- \[[^\]]+\]\(#([^)]+)\)$", prose(path), re.MULTILINE)
    sections = [
        re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        for text in re.findall(r"^## (.+)$", prose(path), re.MULTILINE)
    ]
    assert not top or top == sections, listed


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_block_says_its_language(path: Path) -> None:
    for block in blocks(path):
        assert block.language, f"{block.place}: the fence names no language"
