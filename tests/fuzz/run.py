"""Fuzz by coverage (atheris): ``run.py DIRECTORY SECONDS``, or one target of all as a third word.

The corpora grow in ``DIRECTORY/corpus``; an input that fails is left in ``DIRECTORY/crashes``.
"""

import re
import subprocess
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.seeds import SEEDS

GUIDES = ["incident_manager", "fuzz", "graphql.language"]  # whose coverage is followed
MEGABYTES = 1024  # of memory, in all
LARGEST = 4096  # bytes of an input
SLOWEST = 20  # seconds for one
LAST_LINES = 60  # of what a target that fails has said


def fuzz_all(directory: Path, seconds: int) -> bool:
    """Share the seconds among the targets, each in a process of its own; whether all went well."""
    failed = []
    for name in SEEDS:
        share = str(seconds // len(SEEDS))
        command = [sys.executable, __file__, str(directory), share, name]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, errors="replace"
        )
        said = done.stdout + done.stderr
        if done.returncode:
            failed.append(name)
            print(*said.splitlines()[-LAST_LINES:], sep="\n")
        executions, covered, peak = (
            (re.findall(form, said) or ["?"])[-1]
            for form in (r"executed_units: (\d+)", r"cov: (\d+)", r"peak_rss_mb: +(\d+)")
        )
        figures = f"{executions} executions, {covered} places covered, {peak} MB"
        print(f"{name}: {figures}, {'FAILED' if done.returncode else 'nothing found'}", flush=True)
    return not failed


def fuzz_one(directory: Path, seconds: int, name: str) -> None:
    """Fuzz one target; the process ends."""
    with atheris.instrument_imports(include=GUIDES):
        from fuzz.targets import TARGETS
    corpus, crashes = directory / "corpus" / name, directory / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "max_len": LARGEST,
        "timeout": SLOWEST,
        "rss_limit_mb": MEGABYTES,
        "artifact_prefix": f"{crashes}/{name}-",
        "print_final_stats": 1,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    place, seconds, *target = sys.argv[1:]
    if target:
        fuzz_one(Path(place), int(seconds), *target)
    elif not fuzz_all(Path(place), int(seconds)):
        sys.exit(1)
