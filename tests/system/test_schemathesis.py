"""Whatever is sent to it, the REST interface answers as its own description says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from system.harness import run

EXAMPLES = os.environ.get("LIM_TEST_FUZZ_EXAMPLES", "100")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.mark.slow
async def test_nothing_is_answered_outside_of_the_document(tmp_path: Path) -> None:
    """Requests that keep to the document, that break it, and that follow from one another."""
    async with run(tmp_path) as server:
        url = server.place.http
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/v1/openapi.json"),
            *("--url", url, "--max-examples", EXAMPLES, "--checks", ",".join(CHECKS)),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
        ]
        done = await trio.run_process(
            command,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=tmp_path,
        )
        said = done.stdout.decode()
        print(said)  # with the seed
        assert done.returncode == 0, said
        assert "No issues found" in said
        # No failure of ours hides behind a status that is allowed.
        assert [entry for entry in server.complaints() if entry["level"] != "warning"] == []
