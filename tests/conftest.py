"""What all tests share: component markers, and hypothesis profiles."""

import shutil

import pytest
from hypothesis import HealthCheck, settings

from lacking import lacking

settings.register_profile("default", deadline=None)
settings.register_profile(
    "fuzz", deadline=None, max_examples=2_000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("default")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a component that is not here; with CI=true that is a failure."""
    for marker in item.iter_markers("component"):
        name = marker.args[0]
        if shutil.which(name) is None:
            lacking(f"{name} is not installed")
