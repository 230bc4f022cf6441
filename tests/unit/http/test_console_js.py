"""The parts of the console that know neither a page nor a network, held to their laws on Node."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "console_js"


@pytest.mark.component("node")
@pytest.mark.parametrize("script", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.stem)
def test_script(script: Path) -> None:
    command = ["node", "--test", "--test-reporter=tap", script.name]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "# fail 0" in told.stdout
    assert "# pass 0" not in told.stdout
