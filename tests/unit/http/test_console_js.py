"""The parts of the pages that know neither a page nor a network, held to their laws on Node."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(
    each for page in ("console_js", "playground_js") for each in (HERE / page).glob("*.test.mjs")
)


@pytest.mark.component("node")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script(script: Path) -> None:
    command = ["node", "--test", "--test-reporter=tap", script.name]
    told = subprocess.run(command, cwd=script.parent, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "# fail 0" in told.stdout
    assert "# pass 0" not in told.stdout
