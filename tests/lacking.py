"""What becomes of a test that needs something which is not here."""

import os
from typing import NoReturn

import pytest

__all__ = ["lacking"]


def lacking(reason: str) -> NoReturn:
    """Skip the test; with CI=true it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and in CI nothing is skipped", pytrace=False)
    pytest.skip(reason)
