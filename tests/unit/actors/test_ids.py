from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.ids import new_id, uuid7
from unit.actors.builders import START

TIMES = st.integers(0, 1000 * 2**48 - 1)
RANDOM = st.binary(min_size=10, max_size=10)


@given(TIMES, RANDOM)
def test_version_variant_and_time_are_where_the_rfc_puts_them(now: int, random: bytes) -> None:
    text = uuid7(now, random)
    found = UUID(text)
    assert str(found) == text
    assert found.version == 7
    assert found.variant == RFC_4122
    assert found.int >> 80 == now // 1000
    assert (found.int >> 66) & 0x3FF == now % 1000  # method 3: the first 10 of the 12 bits


@given(TIMES, TIMES, RANDOM, RANDOM)
def test_a_later_microsecond_sorts_later(one: int, two: int, first: bytes, second: bytes) -> None:
    if one != two:
        assert (uuid7(one, first) < uuid7(two, second)) == (one < two)


@given(TIMES, RANDOM, RANDOM)
def test_64_random_bits_tell_those_of_one_microsecond_apart(
    now: int, one: bytes, two: bytes
) -> None:
    def bits(random: bytes) -> tuple[int, int, bytes]:
        return random[0] & 3, random[1] & 0x3F, random[2:9]

    assert (uuid7(now, one) == uuid7(now, two)) == (bits(one) == bits(two))


def test_new_ids_of_one_moment_differ() -> None:
    assert len({new_id(START) for _ in range(1000)}) == 1000
    assert UUID(new_id(START)).int >> 80 == START // 1000
