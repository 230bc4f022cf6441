"""Every test that asks for ``journal`` or ``opener`` runs on each adapter."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import Journal
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.sqlite import open_sqlite

Opener = Callable[[], AbstractAsyncContextManager[Journal]]
"""Opens the same journal each time."""


@pytest.fixture(params=["sqlite", "memory"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "sqlite":
        return lambda: open_sqlite(tmp_path / "incidents.db")
    store = MemoryStore()
    return lambda: open_memory(store)


@pytest.fixture
async def journal(opener: Opener) -> AsyncIterator[Journal]:
    async with opener() as opened:
        yield opened
