import pytest

from incident_manager import __version__
from unit.http.served import ALERT, recovering, serving


async def test_health_says_how_every_part_does() -> None:
    async with serving() as served:
        reply = await served.get("/health")
        assert reply.status == 200
        assert reply.json == {
            "status": "HEALTHY",
            "version": __version__,
            "uptime_seconds": 0,
            "components": [
                {"name": name, "status": "HEALTHY", "message": None}
                for name in ("server", "journal", "registry", "hub")
            ],
        }


@pytest.mark.parametrize(
    ("path", "status"), [("/health", 503), ("/health/live", 200), ("/health/ready", 503)]
)
async def test_probes_are_answered_while_the_journal_recovers(path: str, status: int) -> None:
    reply = await recovering().get(path)
    assert reply.status == status
    assert reply.json["components"] == [
        {"name": "server", "status": "UNHEALTHY", "message": "recovering"}
    ]


async def test_ready_is_503_while_draining_and_live_is_not() -> None:
    async with serving() as served:
        assert (await served.get("/health/ready")).status == 200
        served.gateway.drain()
        assert (await served.get("/health/ready")).status == 503
        assert (await served.get("/health/live")).status == 200


async def test_ready_is_503_when_the_journal_cannot_be_written() -> None:
    async with serving() as served:
        await served.alert()
        served.opened[-1].close()
        reply = await served.post("/v1/alerts", ALERT)
        assert (reply.status, reply.json["code"]) == (503, "SERVICE_UNAVAILABLE")
        ready = await served.get("/health/ready")
        assert ready.status == 503
        assert ready.json["components"][1]["name"] == "journal"
        assert ready.json["components"][1]["message"]
