"""What is installed of the wheel: the packages, their data, and the playground as npm builds it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSIDE = "incident_manager/http/playground"


@pytest.mark.slow
@pytest.mark.component("make")
@pytest.mark.component("npm")
def test_the_wheel_has_the_playground_and_the_licences_of_what_it_is_made_of(
    tmp_path: Path,
) -> None:
    subprocess.run(["make", "--silent", "playground"], cwd=ROOT, check=True, timeout=300)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(tmp_path),
        ".",
    ]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        licences = packed.read(f"{INSIDE}/assets/licenses.txt").decode()
    for name in ("playground.html", "missing.html", "assets/main.js", "assets/graphql.worker.js"):
        assert f"{INSIDE}/{name}" in names
    assert not [name for name in names if "node_modules" in name or f"{INSIDE}/web/" in name]
    assert {"graphiql", "graphql-ws", "monaco-editor", "react"} <= {
        line.partition(" ")[0] for line in licences.splitlines()
    }
