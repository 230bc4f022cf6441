"""The metrics guide names every metric as it is, and what Prometheus takes from it is sound."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from system.client import PATIENCE
from system.docs.blocks import ROOT, blocks, prose
from system.harness import LocalServer

GUIDE = ROOT / "docs" / "METRICS_GUIDE.md"
RULES = "incident-manager.rules.yml"
_ROW = re.compile(
    r"^\| `(?P<name>li?l?m_\w+)(?:\{(?P<labels>[\w,]+)\})?` \| (?P<kind>\w+) \|", re.MULTILINE
)
_QUESTION = re.compile(r"^\| [^|]+\? \| `(?P<query>.+)` \|$", re.MULTILINE)
_NAME = re.compile(r"\b(?:lim|llm_incident_manager)_\w+")


def shown() -> dict[str, tuple[str, frozenset[str]]]:
    """What the tables say: name to type and labels."""
    return {
        row["name"]: (row["kind"], frozenset(filter(None, (row["labels"] or "").split(","))))
        for row in _ROW.finditer(GUIDE.read_text())
    }


def questions() -> list[str]:
    return [found["query"].replace("\\|", "|") for found in _QUESTION.finditer(GUIDE.read_text())]


def files() -> dict[str, str]:
    return {
        block.mark.removeprefix("file: "): block.text
        for block in blocks(GUIDE)
        if block.mark.startswith("file: ")
    }


def checked(directory: Path, *command: str) -> str:
    """What promtool says; fails where it is not content."""
    done = subprocess.run(
        ("promtool", "check", *command),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_every_metric_is_in_a_table_as_it_is(server: LocalServer) -> None:
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        query = {"query": "{ cursor }"}
        await http.post(f"{server.http}/graphql", json=query)
        text = (await http.get(f"{server.http}/metrics")).text
    real: dict[str, tuple[str, frozenset[str]]] = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        real[name] = (family.type, frozenset(labels - {"le"}))
    assert shown() == real


def test_nothing_else_is_named() -> None:
    known = set(shown())
    derived = {f"{name}_{part}" for name in known for part in ("bucket", "count", "sum")}
    text = GUIDE.read_text()
    named = set(_NAME.findall(text))
    assert named <= known | derived, named - known - derived
    assert "SETTINGS.md" in prose(GUIDE)


@pytest.mark.component("promtool")
def test_the_rules_and_the_scrape_config_are_sound(tmp_path: Path) -> None:
    for name, text in files().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "incident-manager.token").write_text("x\n")
    number = files()[RULES].count("- alert:")
    assert f"SUCCESS: {number} rules found" in checked(tmp_path, "rules", RULES)
    assert f"SUCCESS: {number} rules found" in checked(tmp_path, "config", "scrape.yml")


@pytest.mark.component("promtool")
def test_the_questions_are_promql(tmp_path: Path) -> None:
    asked = questions()
    assert len(asked) > 10
    rules = [{"record": f"question:{n}", "expr": query} for n, query in enumerate(asked)]
    given = {"groups": [{"name": "questions", "rules": rules}]}
    (tmp_path / "questions.yml").write_text(json.dumps(given))
    assert f"SUCCESS: {len(asked)} rules found" in checked(tmp_path, "rules", "questions.yml")
