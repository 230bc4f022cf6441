"""The limit of open files: raised as far as it goes."""

import resource
from collections.abc import Iterator

import pytest

from incident_manager.http.descriptors import raise_limit

FILES = resource.RLIMIT_NOFILE


@pytest.fixture
def low() -> Iterator[int]:
    """A soft limit below the hard one; the hard one."""
    soft, hard = resource.getrlimit(FILES)
    resource.setrlimit(FILES, (512, hard))
    yield hard
    resource.setrlimit(FILES, (soft, hard))


def test_the_soft_limit_becomes_the_hard_one(low: int) -> None:
    assert resource.getrlimit(FILES) == (512, low)
    assert raise_limit() == (None if low == resource.RLIM_INFINITY else low)
    assert resource.getrlimit(FILES) == (low, low)
    assert raise_limit() == (None if low == resource.RLIM_INFINITY else low)
