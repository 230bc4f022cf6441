"""Writes that begin together: what each gets, and where it lies."""

from array import array

from incident_manager.http.squad import Squad


class Nobody:
    def write_now(self, at: int, data: bytes) -> None:
        raise AssertionError(at, data)

    def failed(self, at: int, data: bytes, taken: int) -> None:
        raise AssertionError(at, data, taken)

    def landed(self, count: int) -> None:
        raise AssertionError(count)


def test_all_get_the_same() -> None:
    squad = Squad(Nobody(), array("Q", [1, 2, 3]), b"frame", 5)
    assert squad.left == 3
    assert {squad.part(at) for at in range(3)} == {b"frame"}
    assert list(squad.places(1000, 0, 3)) == [1000] * 3


def test_each_gets_its_part() -> None:
    squad = Squad(Nobody(), array("Q", [1, 2, 3]), b"aabbcc", 2)
    assert [squad.part(at) for at in range(3)] == [b"aa", b"bb", b"cc"]
    assert list(squad.places(1000, 0, 3)) == [1000, 1002, 1004]
    assert list(squad.places(1000, 1, 3)) == [1002, 1004]


def test_one_gets_all_of_it() -> None:
    squad = Squad(Nobody(), array("Q", [1]), b"frame", 5)
    assert squad.part(0) == b"frame"
    assert list(squad.places(7, 0, 1)) == [7]
