"""An operator restarts an actor: which, who may, and what is noted of it."""

import logging

import pytest
import trio

from incident_manager.http.auth import Role
from incident_manager.http.counters import Eviction
from unit.http.debug.connections import connect
from unit.http.served import AUTHENTICATED, Reply, Served, bearer, serving


async def restart(served: Served, actor: str, **given: object) -> Reply:
    return await served.ask("POST", f"/debug/actors/{actor}/restart", **given)


@pytest.mark.parametrize("name", ["journal", "registry", "hub", "connections"])
async def test_an_actor_that_there_is_one_of_is_started_again(name: str) -> None:
    async with serving() as served:
        reply = await restart(served, f"root.{name}")
        assert reply.status == 200
        view = reply.json["actor"]
        assert (view["id"], view["state"], view["restarts"]) == (f"root.{name}", "running", 1)
        assert (await served.alert())["status"] == "ACCEPTED"


async def test_a_connection_is_closed() -> None:
    async with serving() as served:
        leave = trio.Event()
        await connect(served, {}, {}, leave=leave)
        reply = await restart(served, "root.connections.c0")
        assert reply.status == 202
        assert reply.json["actor"]["state"] == "stopping"
        assert served.gateway.counters.evictions == {Eviction.OPERATOR: 1}
        tree = (await served.get("/debug/actors")).json
        assert tree["connections"]["count"] == 2  # it has its time to leave
        leave.set()


@pytest.mark.parametrize(
    ("actor", "status", "code"),
    [
        ("root.nobody", 404, "NOT_FOUND"),
        ("root.connections.c9", 404, "NOT_FOUND"),
        ("root", 409, "CONFLICT"),
        ("root.listener", 409, "CONFLICT"),
    ],
)
async def test_what_cannot_be_restarted(actor: str, status: int, code: str) -> None:
    async with serving() as served:
        assert served.gateway.system is not None
        served.gateway.system.tree.place("listener", "listener", None)
        reply = await restart(served, actor)
        assert (reply.status, reply.json["code"]) == (status, code)


async def test_it_is_noted_who_did_it(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(AUTHENTICATED) as served:
        with caplog.at_level(logging.INFO, "incident_manager.audit"):
            await restart(served, "root.hub", headers=bearer(Role.ADMIN, "olga"))
            await restart(served, "root", headers=bearer(Role.ADMIN, "olga"))
    notes = [record for record in caplog.records if record.name == "incident_manager.audit"]
    found = [(vars(note)["actor"], vars(note)["outcome"]) for note in notes]
    assert found == [("root.hub", "done"), ("root", "refused")]
    assert {vars(note)["principal"] for note in notes} == {"olga"}


async def test_a_page_of_somebody_else_cannot_do_it() -> None:
    async with serving() as served:
        reply = await restart(served, "root.hub", headers={"Sec-Fetch-Site": "cross-site"})
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")
        assert (await served.get("/debug/actors/root.hub")).json["actor"]["restarts"] == 0


async def test_while_the_system_stops_nothing_is_restarted() -> None:
    async with serving() as served:
        assert served.gateway.system is not None
        served.gateway.system.supervisor.begin_stop()
        reply = await restart(served, "root.hub")
        assert (reply.status, reply.json["code"]) == (503, "SERVICE_UNAVAILABLE")
