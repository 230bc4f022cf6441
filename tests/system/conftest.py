"""What the system tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from system.harness import LocalServer, local
from system.node import installed


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the clients that run on Node are installed."""
    return installed(tmp_path_factory.mktemp("clients_js"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    """A server with an SQLite journal of its own, open to everybody."""
    async with local(tmp_path) as running:
        yield running
