from attrs import evolve

from incident_manager.actors.journal.memory_store import MemoryStore
from incident_manager.actors.vocabulary import Kind
from unit.actors.builders import change, make_alert, make_comment, make_incident, make_record


def test_an_alert_that_moves_is_with_one_incident_only() -> None:
    store, one, two = MemoryStore(), make_incident(1), make_incident(2)
    alert = make_alert(1, one)
    store.take(make_record(1, one, alert=alert))
    moved = evolve(alert, incident_id=two.id)
    store.take(make_record(2, two, alert=moved))
    assert store.alerts == {alert.id: moved}
    assert store.beside[one.id].alerts == {}
    assert store.beside[two.id].alerts == {alert.id: moved}


def test_what_lies_beside_an_incident() -> None:
    store, one = MemoryStore(), make_incident(1)
    comment = make_comment(1)
    store.take(make_record(1, one))
    store.take(evolve(change(2, one, Kind.COMMENT), comment=comment, related_id="other"))
    store.take(evolve(change(3, one, Kind.LINK), related_id="other"))
    beside = store.beside[one.id]
    assert beside.comments == {comment.id: comment}
    assert beside.links == {"other": 2}
    assert store.beside["other"].links == {one.id: 2}
    assert [(offset, place) for offset, place, _ in beside.timeline] == [
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
    ]


def test_bounds_follow() -> None:
    store = MemoryStore()
    assert (store.bounds.oldest, store.bounds.head) == (1, 0)
    store.take(make_record(1))
    assert (store.bounds.oldest, store.bounds.head) == (1, 1)
