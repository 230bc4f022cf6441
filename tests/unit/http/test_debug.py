import re

import trio
import trio.testing

from incident_manager.http.debug import node_view
from incident_manager.supervision import Child, Failure, Node, Tree
from unit.http.served import serving

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def linger(
    child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
) -> None:
    child.observe(lambda: {"peer": "127.0.0.1:1"})
    task_status.started()
    await trio.sleep_forever()


async def test_the_whole_tree() -> None:
    async with serving() as served:
        await served.alert()
        reply = await served.get("/debug/actors")
        assert reply.status == 200
        assert TIME.fullmatch(reply.json["taken_at"])
        root = reply.json["root"]
        assert root["strategy"] == "one_for_one"
        assert root["restarts_left"] == 10
        assert root["child_count"] == 4
        assert root["counts"]["registry"] == {"running": 1}
        [registry] = [each for each in root["children"] if each["name"] == "registry"]
        assert registry["id"] == "root.registry"
        assert registry["parent"] == "root"
        assert registry["stats"]["messages_handled"] == 1
        assert registry["stats"]["mailbox_capacity"] == 1024
        assert TIME.fullmatch(registry["started_at"])
        assert registry["age_seconds"] >= 0


async def test_one_actor() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors/root.hub")
        assert reply.status == 200
        assert reply.json["actor"]["kind"] == "hub"


async def test_an_actor_that_is_not_there() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors/root.nobody")
        assert (reply.status, reply.json["code"]) == (404, "NOT_FOUND")


async def test_children_are_counted_listed_to_a_limit_and_paged() -> None:
    async with serving() as served:
        assert served.gateway.system is not None
        connections = served.gateway.system.connections
        for number in range(5):
            connections.start_child(f"c{number}", "connection", linger)
        await trio.testing.wait_all_tasks_blocked()
        path = "/debug/actors/root.connections"
        first = (await served.get(f"{path}?limit=2")).json["actor"]
        assert [each["name"] for each in first["children"]] == ["c0", "c1"]
        assert first["children"][0]["stats"] == {"peer": "127.0.0.1:1"}
        assert (first["child_count"], first["omitted"]) == (5, 3)
        assert first["counts"] == {"connection": {"running": 5}}
        last = (await served.get(f"{path}?limit=2&offset=4")).json["actor"]
        assert [each["name"] for each in last["children"]] == ["c4"]


async def test_every_bad_parameter_is_named() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors?limit=1001&offset=-1&depth=2")
        assert reply.status == 400
        assert reply.fields == ["depth", "limit", "offset"]


async def test_a_failure_is_shown_without_its_traceback() -> None:
    tree = Tree()
    node = Node(tree, "x", "worker", tree.root)
    node.last_failure = Failure("root.x", "ValueError", "no", 1_700_000_000.5, "Traceback ...")
    tree.root.children_or_none = {"x": node}
    view = node_view(tree.snapshot(node_id="root.x").root)
    assert view["last_failure"] == {
        "actor": "root.x",
        "type": "ValueError",
        "message": "no",
        "when": "2023-11-14T22:13:20.500000Z",
    }
    assert (view["started_at"], view["age_seconds"]) == (None, None)
