"""The Autobahn|Testsuite's client against an echo on the transport under test."""

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from system import echo_app
from system.docs.blocks import ROOT
from system.harness import run

WSTEST = ROOT / ".cache" / "autobahn" / "venv" / "bin" / "wstest"  # made by `make autobahn`
FLAGS = shlex.split(
    os.environ.get("LIM_TEST_AUTOBAHN", "")
)  # of echo_app: --stock, or --compression for all of it
CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10, 12, 13)]
COMPRESSED = ("12.", "13.")
OFFERS = [*(f"12.{number}" for number in range(1, 6)), *(f"13.{number}" for number in range(1, 8))]
SOME = [f"{offer}.{size}" for offer in OFFERS for size in (1, 4, 6, 11)]  # a minute, not twenty
PLAIN = 247
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
PATIENCE = 2400.0

Report = Mapping[str, Mapping[str, Any]]


async def judged(directory: Path, cases: Sequence[str], *flags: str) -> Report:
    """Autobahn's verdict on the echo, of which none must be a failure."""
    command = (sys.executable, echo_app.__file__, "{port}", *flags)
    async with run(directory, command=command, ready_line="Running on") as server:
        spec = {
            "outdir": str(directory / "report"),
            "options": {"failByDrop": False},
            "servers": [{"agent": "echo", "url": f"ws://127.0.0.1:{server.place.port}"}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (directory / "spec.json").write_text(json.dumps(spec))
        tool = [str(WSTEST), "--mode", "fuzzingclient", "--spec", str(directory / "spec.json")]
        with trio.fail_after(PATIENCE):
            await trio.run_process(tool, stdout=subprocess.DEVNULL, cwd=directory)
        assert server.running.poll() is None
        if "--stock" not in flags:
            assert not any("Traceback" in line for line in server.lines), server.lines
    report: Report = json.loads((directory / "report" / "index.json").read_text())["echo"]
    told = Counter(case["behavior"] for case in report.values())
    print(dict(told))
    failed = {
        name: (case["behavior"], case["behaviorClose"])
        for name, case in report.items()
        if case["behavior"] not in PASSED or case["behaviorClose"] not in {"OK", "INFORMATIONAL"}
    }
    for name in failed:
        detail = directory / "report" / report[name]["reportfile"]
        told_of = json.loads(detail.read_text())
        print(name, told_of["result"], told_of["resultClose"], told_of["wirelog"], sep="\n")
    assert failed == {}
    # Hypercorn as it is loses some of what it answers before a mistake.
    assert told["NON-STRICT"] == 0 or "--stock" in flags
    return report


def unimplemented(report: Report) -> set[str]:
    return {name for name, case in report.items() if case["behavior"] == "UNIMPLEMENTED"}


@pytest.mark.slow
@pytest.mark.component(str(WSTEST))
async def test_no_case_fails(tmp_path: Path) -> None:
    report = await judged(tmp_path, CASES, *FLAGS)
    plain = {name for name in report if not name.startswith(COMPRESSED)}
    assert len(plain) == PLAIN
    # Without compression the client says so of every case that needs it, and of no other.
    assert unimplemented(report) == (set() if FLAGS else set(report) - plain)


@pytest.mark.slow
@pytest.mark.component(str(WSTEST))
async def test_no_case_of_compression_fails(tmp_path: Path) -> None:
    report = await judged(tmp_path, SOME, "--compression")
    assert set(report) == set(SOME)
    assert unimplemented(report) == set()
