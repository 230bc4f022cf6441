"""``docs/RELIABILITY.md``: its figures, its names, and the tests that it points to."""

import re
from itertools import pairwise
from typing import Any

import httpx
import pytest

from incident_manager.http.h2_budget import CAPACITY, RATE, REFUND, price
from incident_manager.http.h2_frames import Head, Kind
from incident_manager.http.settings import SETTINGS
from load import abuse, soak
from load.marked import place_between
from system.client import PATIENCE, opened
from system.docs.blocks import ROOT, prose
from system.docs.test_truth import rows, section
from system.harness import LocalServer

PAGE = ROOT / "docs" / "RELIABILITY.md"
TEXT = PAGE.read_text()
SOURCES = "".join(
    path.read_text()
    for layer in ("http", "actors", "supervision")
    for path in sorted((ROOT / layer).rglob("*.py"))
)
NAMED = re.compile(r"`(?P<file>[\w/]*test_[\w*]+\.py)(?:::(?P<test>\w+))?`")
METRIC = re.compile(r"\b(?:lim|llm_incident_manager)_\w+")
SEEN = rows(section(TEXT, "What you see"))


@pytest.mark.parametrize(
    ("file", "test"),
    sorted({(found["file"], found["test"] or "") for found in NAMED.finditer(TEXT)}),
)
def test_the_tests_that_are_named_are_there(file: str, test: str) -> None:
    folders = ("tests/system", "tests/unit/actors", "tests/unit/actors/journal", ".")
    found = [path for folder in folders for path in (ROOT / folder).glob(file)]
    assert found, file
    if test:
        assert any(re.search(rf"(?:def|class) {test}\b", path.read_text()) for path in found)


async def test_the_metrics_and_fields_that_are_named_are_there(server: LocalServer) -> None:
    async with opened(server.ws), httpx.AsyncClient(timeout=PATIENCE) as http:
        metrics = (await http.get(f"{server.http}/metrics")).text
        tree = (await http.get(f"{server.http}/debug/actors?limit=100")).json()
    for name in METRIC.findall(prose(PAGE)):
        assert re.search(rf"^{name}(?:_count)?[ {{]", metrics, re.MULTILINE), name
    known = set(fields(tree))
    for row in SEEN:
        for quoted in re.findall(r"`(\w+)`", row[2]):
            assert quoted in known or f'"{quoted}"' in SOURCES, quoted


def fields(node: Any) -> list[str]:
    """Every name in a JSON value."""
    if isinstance(node, dict):
        return [*node, *(name for value in node.values() for name in fields(value))]
    return [name for each in node for name in fields(each)] if isinstance(node, list) else []


def test_the_lines_of_the_log_are_the_sources() -> None:
    lines = re.sub(r'"\n\s+f?"', "", SOURCES)
    quoted = [line for row in SEEN for line in re.findall(r"`([^`]+)`", row[3])]
    assert len(quoted) > 10
    for line in quoted:
        for part in filter(None, (each.strip(" :") for each in line.split("…"))):
            assert part.removeprefix("SIGTERM") in lines, line


def test_limits() -> None:
    shown = {row[2].strip("`"): row[1] for row in rows(section(TEXT, "Limits and times")) if row[2]}
    units = {"s": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "": 1.0}
    known = {setting.key: setting.default for setting in SETTINGS}
    assert len(shown) > 10
    for key, text in shown.items():
        number, _, unit = text.replace(",", "").partition(" ")
        assert known[key] == (0 if text == "no limit" else float(number) * units[unit]), key


def test_the_budget_of_http_2() -> None:
    text = section(TEXT, "HTTP/2")
    assert f"{CAPACITY:,.0f} tokens, and {RATE:.0f} more each second" in text
    costs = {row[0]: row[1] for row in rows(text) if len(row) == 3}
    for kind in (Kind.HEADERS, Kind.CONTINUATION, Kind.DATA, Kind.RST_STREAM, Kind.SETTINGS):
        assert int(costs[kind.name].split(",")[0]) == price(Head(kind, 0, 0, 9))
    for kind in (Kind.PING, Kind.PRIORITY):
        assert int(costs["PING, PRIORITY"]) == price(Head(kind, 0, 0, 9))
    cheap = costs["SETTINGS with ACK, WINDOW_UPDATE, unknown frames"]
    assert int(cheap) == price(Head(Kind.WINDOW_UPDATE, 0, 4, 13)) == price(Head(99, 0, 4, 13))
    assert int(cheap) == price(Head(Kind.SETTINGS, 1, 0, 9))
    assert price(Head(Kind.HEADERS, 0, 512, 521)) - price(Head(Kind.HEADERS, 0, 0, 9)) == 1
    assert int(costs["DATA"]) == REFUND


@pytest.mark.parametrize(
    ("begin", "end"),
    [(soak._BEGIN, soak._STOP), (abuse._BEGIN, abuse._STOP)],
    ids=["soak", "abuse"],
)
def test_there_is_a_place_for_figures(begin: str, end: str) -> None:
    assert "figures" in place_between(TEXT, begin, end, "figures")
    assert all(mark in TEXT.splitlines() for mark in (begin, end))


def test_stopping_is_told_in_order() -> None:
    """What must be kept for the end is kept."""
    known = {setting.key: setting.default for setting in SETTINGS}
    assert known["server.drain_window"] + 3 + 2 < known["server.graceful_timeout"]
    headings = re.findall(r"^- \[(.+)\]\(#", TEXT, re.MULTILINE)
    places = [TEXT.index(f"\n## {heading}\n") for heading in headings]
    assert all(first < second for first, second in pairwise(places))
