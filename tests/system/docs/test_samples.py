"""Every sample in the documents works as it stands there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from system.docs.blocks import ROOT, blocks, documents
from system.docs.runner import NOT_RUN, reading

HERE = Path(__file__).parent
WITH_SAMPLES = [path for path in documents() if any(blocks(path))]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="session")
def wscat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where npm has installed wscat, of the version that the lock file names."""
    place = tmp_path_factory.mktemp("wscat")
    for each in ("package.json", "package-lock.json"):
        shutil.copy(HERE / each, place)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=place, check=True, timeout=300)
    return place


@pytest.mark.parametrize("path", WITH_SAMPLES, ids=name)
async def test_document(path: Path, tmp_path: Path) -> None:
    await read(path, tmp_path, None)


@pytest.mark.component("node")
@pytest.mark.parametrize(
    "path", [path for path in WITH_SAMPLES if "npx wscat" in path.read_text()], ids=name
)
async def test_document_with_wscat(path: Path, tmp_path: Path, wscat: Path) -> None:
    await read(path, tmp_path, wscat)


async def read(path: Path, directory: Path, wscat: Path | None) -> None:
    async with reading(directory, wscat) as reader:
        for block in blocks(path):
            if block.mark.startswith(NOT_RUN):
                print(f"{block.place}: {block.mark}: {block.text.strip()}")
                continue
            try:
                await reader.do(block)
            except AssertionError as failed:
                failed.add_note(f"in {block.place}")
                raise
