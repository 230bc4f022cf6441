"""What all tests share: component markers, and hypothesis profiles."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None)
settings.register_profile(
    "fuzz", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a component that is not here; with CI=true that is a failure."""
    for marker in item.iter_markers("component"):
        name = marker.args[0]
        if shutil.which(name) is not None:
            continue
        reason = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and in CI nothing is skipped", pytrace=False)
        pytest.skip(reason)
