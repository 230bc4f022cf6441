"""Every sample in the documents works as it stands there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from system.docs.blocks import ROOT, blocks, documents
from system.docs.runner import NOT_RUN, PICTURE, reading

HERE = Path(__file__).parent


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def runs(path: Path) -> bool:
    return any(
        block.mark != PICTURE and not block.mark.startswith(NOT_RUN) for block in blocks(path)
    )


DOCUMENTS = [path for path in documents() if runs(path)]


@pytest.fixture(scope="session")
def wscat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where npm has installed wscat, of the version that the lock file names."""
    place = tmp_path_factory.mktemp("wscat")
    for each in ("package.json", "package-lock.json"):
        shutil.copy(HERE / each, place)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=place, check=True, timeout=300)
    return place


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
async def test_document(path: Path, tmp_path: Path) -> None:
    await read(path, tmp_path, None)


@pytest.mark.component("node")
@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if "npx wscat" in path.read_text()], ids=name
)
async def test_document_with_wscat(path: Path, tmp_path: Path, wscat: Path) -> None:
    await read(path, tmp_path, wscat)


async def read(path: Path, directory: Path, wscat: Path | None) -> None:
    async with reading(directory, wscat) as reader:
        for block in blocks(path):
            if block.mark.startswith(NOT_RUN):
                continue
            try:
                await reader.do(block)
            except AssertionError as failed:
                failed.add_note(f"in {block.place}")
                raise


@pytest.mark.parametrize("path", documents(), ids=name)
def test_what_is_not_run_says_why(path: Path) -> None:
    for block in blocks(path):
        if block.mark.startswith(NOT_RUN):
            print(f"{block.place}: {block.mark}\n{block.text}")
            assert len(block.mark.removeprefix(NOT_RUN)) > 10, "that is no reason"
        elif block.mark == PICTURE:
            assert block.language in ("text", "mermaid"), f"{block.place} is no picture"
