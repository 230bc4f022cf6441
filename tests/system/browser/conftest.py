"""What the tests in a browser share."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from system.browser.desk import Desk
from system.browser.stage import Stage, stage

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="session")
def browser() -> Iterator[Stage]:
    """One Chromium for all of them."""
    with stage() as ready:
        yield ready


@pytest.fixture
def desk_at() -> Iterator[Callable[..., Desk]]:
    """Makes desks, as the class does; they are closed at the end."""
    with ExitStack() as desks:
        yield lambda http, *given, **more: desks.enter_context(closing(Desk(http, *given, **more)))


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core, of the version that the lock file names."""
    place = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=place, check=True, timeout=300)
    return (place / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="session")
def playground() -> None:
    """The playground's parts, built of what its lock file names."""
    subprocess.run(["make", "--silent", "playground"], cwd=ROOT, check=True, timeout=300)
