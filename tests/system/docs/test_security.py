"""``docs/SECURITY.md``: the tests that it points to are there."""

import re

import pytest

from system.docs.blocks import ROOT

TEXT = (ROOT / "docs" / "SECURITY.md").read_text()
NAMED = re.compile(r"`(?P<file>[\w/]*test_\w+\.py)?(?P<tests>(?:::\w+)*)`")
TESTS = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}


def named() -> list[tuple[str, str]]:
    """File and test; where only a test is named, the file is any."""
    found = {(each["file"] or "", each["tests"]) for each in NAMED.finditer(TEXT)}
    return sorted(found - {("", "")})


@pytest.mark.parametrize(("file", "tests"), named())
def test_what_is_named_is_there(file: str, tests: str) -> None:
    places = [text for path, text in TESTS.items() if str(path).endswith(file)]
    assert places, file
    for test in filter(None, tests.split("::")):
        assert any(re.search(rf"(?:def|class) {test}\b", text) for text in places), test


def test_promises_are_followed_by_tests() -> None:
    assert len(named()) > 50
