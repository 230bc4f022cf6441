"""An actor as JSON."""

from incident_manager.http.debug.picture import node_view, time_view
from incident_manager.http.logs import Redactor
from incident_manager.supervision import Failure, Node, Tree


async def test_a_failure_is_shown_with_its_traceback_and_without_secrets() -> None:
    tree = Tree()
    node = Node(tree, "x", "worker", tree.root)
    node.last_failure = Failure(
        "root.x", "ValueError", "no hunter2", 1_700_000_000.5, "Traceback\nno hunter2"
    )
    tree.root.children_or_none = {"x": node}
    view = node_view(tree.snapshot(node_id="root.x").root, Redactor(("hunter2",)))
    assert view["last_failure"] == {
        "actor": "root.x",
        "type": "ValueError",
        "message": "no [redacted]",
        "when": "2023-11-14T22:13:20.500000Z",
        "traceback": "Traceback\nno [redacted]",
    }
    assert (view["started_at"], view["age_seconds"]) == (None, None)


def test_a_time_is_in_utc_with_microseconds() -> None:
    assert time_view(0.25) == "1970-01-01T00:00:00.250000Z"
