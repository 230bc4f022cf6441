"""What the tests of supervision share."""

from __future__ import annotations

import pytest

from unit.supervision.scripts import Log


@pytest.fixture
def log() -> Log:
    """An empty log of what children did."""
    return Log()
