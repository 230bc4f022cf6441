from incident_manager.actors.audit import AuditAction, AuditEntry, Refusals, audit_of
from incident_manager.actors.vocabulary import Kind
from unit.actors.builders import SECOND, START, change, make_incident, make_record


def test_every_kind_of_event_has_an_action() -> None:
    for kind in Kind:
        assert audit_of(make_record(1, kind=kind)).action.name == kind.name
    assert {each.value for each in AuditAction} == set(AuditAction.__members__)


def test_an_entry_bears_no_text_of_the_incident() -> None:
    record = change(2, make_incident(1, title="Jane"), Kind.ESCALATE)
    entry = audit_of(record)
    assert "Jane" not in str(entry)
    assert entry.detail == {}


def test_a_redaction_says_why_and_what() -> None:
    record = change(2, make_incident(1), Kind.REDACT, title="gone", labels={})
    entry = audit_of(make_record(2, record.incident, kind=Kind.REDACT, reason="GDPR 17"))
    assert entry.detail == {"reason": "GDPR 17", "fields": ""}
    assert audit_of(record).detail == {"reason": "", "fields": "title, labels"}


def refused(address: str, reason: str, count: int, time: int, seconds: int = 0) -> AuditEntry:
    detail = {"address": address, "reason": reason, "count": str(count), "seconds": str(seconds)}
    return AuditEntry(time, AuditAction.SIGN_IN_REFUSED, "", detail=detail)


def test_one_entry_for_each_address_and_reason() -> None:
    refusals = Refusals()
    for _ in range(1000):
        refusals.add("10.0.0.1", "expired", START)
    refusals.add("10.0.0.2", "expired", START + SECOND)
    refusals.add("10.0.0.1", "not valid", START + SECOND)
    refusals.add("10.0.0.1", "expired", START + 3 * SECOND)
    assert refusals.take() == (
        refused("10.0.0.1", "expired", 1001, START, 3),
        refused("10.0.0.2", "expired", 1, START + SECOND),
        refused("10.0.0.1", "not valid", 1, START + SECOND),
    )
    assert refusals.take() == ()


def test_a_flood_from_everywhere_is_counted_in_bounded_memory() -> None:
    refusals = Refusals(most=3)
    for number in range(100):
        refusals.add(f"10.0.0.{number}", "expired", START)
    taken = refusals.take()
    assert [each.detail["address"] for each in taken] == [
        "10.0.0.0",
        "10.0.0.1",
        "10.0.0.2",
        "*",
    ]
    assert sum(int(each.detail["count"]) for each in taken) == 100


def test_what_could_not_be_written_is_counted_on() -> None:
    refusals = Refusals(most=2)
    refusals.add("a", "expired", START)
    taken = refusals.take()
    refusals.add("a", "expired", START + 2 * SECOND)
    refusals.put_back(taken)
    assert refusals.take() == (refused("a", "expired", 2, START, 2),)
    refusals.put_back(taken)
    assert refusals.take() == taken


def test_what_is_put_back_is_bounded_too() -> None:
    refusals = Refusals(most=1)
    for each in "abc":
        refusals.put_back((refused(each, "expired", 1, START),))
    assert len(refusals.take()) == 2
