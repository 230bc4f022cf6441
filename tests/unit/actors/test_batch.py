"""A batch: payloads in order, and what its takers remember."""

from incident_manager.actors.batch import Batch


def test_it_knows_its_length_and_begins_with_nothing_remembered() -> None:
    batch = Batch([b"one", b"three"])
    assert (len(batch), batch.size, batch.memo) == (2, 8, {})
    assert list(batch.payloads) == [b"one", b"three"]
