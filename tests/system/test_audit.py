"""``make sbom`` and the part of ``make audit`` that asks nobody."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 900


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *words]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.slow
def test_the_list_of_parts_has_every_dependency() -> None:
    made = make("sbom")
    assert made.returncode == 0, made.stderr
    listed = json.loads((ROOT / "dist" / "sbom.json").read_bytes())
    assert listed["bomFormat"] == "CycloneDX"
    parts = {part["name"].lower().replace("_", "-") for part in listed["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = [text.split(">=")[0].split("[")[0] for text in project["dependencies"]]
    assert set(words) <= parts
    assert not {"pytest", "mypy", "ruff", "pip"} & parts
    assert all(part["version"] and part["purl"] for part in listed["components"])


@pytest.mark.slow
def test_bandit_finds_nothing_that_is_not_argued() -> None:
    made = make("bandit")
    assert made.returncode == 0, made.stdout
