"""The Autobahn|Testsuite's client against an echo on the transport under test."""

import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import trio

from system import echo_app
from system.docs.blocks import ROOT
from system.harness import run

WSTEST = ROOT / ".cache" / "autobahn" / "venv" / "bin" / "wstest"  # made by `make autobahn`
FLAGS = shlex.split(os.environ.get("LIM_TEST_AUTOBAHN", ""))  # of echo_app, such as --stock
COMMAND = (sys.executable, echo_app.__file__, "{port}", *FLAGS)
CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10, 12, 13)]
COMPRESSED = ("12.", "13.")
PLAIN = 247
PASSED = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}
PATIENCE = 1200.0


@pytest.mark.slow
@pytest.mark.component(str(WSTEST))
async def test_no_case_fails(tmp_path: Path) -> None:
    async with run(tmp_path, command=COMMAND, ready_line="Running on") as server:
        spec = {
            "outdir": str(tmp_path / "report"),
            "options": {"failByDrop": False},
            "servers": [{"agent": "echo", "url": f"ws://127.0.0.1:{server.place.port}"}],
            "cases": CASES,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        command = [str(WSTEST), "--mode", "fuzzingclient", "--spec", str(tmp_path / "spec.json")]
        with trio.fail_after(PATIENCE):
            await trio.run_process(command, stdout=subprocess.DEVNULL, cwd=tmp_path)
        assert server.running.poll() is None
        if "--stock" not in FLAGS:
            assert not any("Traceback" in line for line in server.lines), server.lines
    report = json.loads((tmp_path / "report" / "index.json").read_text())["echo"]
    plain = {name: case for name, case in report.items() if not name.startswith(COMPRESSED)}
    assert len(plain) == PLAIN
    told = Counter(case["behavior"] for case in report.values())
    print(dict(told))
    failed = {
        name: (case["behavior"], case["behaviorClose"])
        for name, case in report.items()
        if case["behavior"] not in PASSED or case["behaviorClose"] not in {"OK", "INFORMATIONAL"}
    }
    for name in failed:
        detail = tmp_path / "report" / report[name]["reportfile"]
        told_of = json.loads(detail.read_text())
        print(name, told_of["result"], told_of["resultClose"], told_of["wirelog"], sep="\n")
    assert failed == {}
    # Hypercorn as it is loses some of what it answers before a mistake.
    assert told["NON-STRICT"] == 0 or "--stock" in FLAGS
    # Without compression the client says so of every case that needs it, and of no other.
    unimplemented = {name for name, case in report.items() if case["behavior"] == "UNIMPLEMENTED"}
    assert unimplemented == (set() if FLAGS else set(report) - set(plain))
