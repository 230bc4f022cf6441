"""What is fuzzed begins with what is right: none of the seeds fails."""

import pytest

from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_pass(name: str) -> None:
    for data in SEEDS[name]:
        TARGETS[name](data)
        for size in range(len(data)):
            TARGETS[name](data[:size])
