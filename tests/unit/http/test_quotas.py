"""Who is asking too much. The clock stands still where requests are counted."""

import pytest
import trio
import trio.testing

from incident_manager.actors.roles import Role
from incident_manager.http.principal import ANONYMOUS, Principal
from incident_manager.http.proxies import Trust
from incident_manager.http.quotas import FAILURES, Allowance, Quotas
from incident_manager.http.rates import RateLimited, Rates
from incident_manager.http.sections import LimitSettings
from incident_manager.http.settings import Settings
from unit.http.served import ALERT, AUTHENTICATED, Served, bearer, recovering, serving

ANN = Principal(name="ann", role=Role.VIEWER)
FEW = Settings(auth=AUTHENTICATED.auth, limits=LimitSettings(requests_per_minute=3))
OPEN = Settings(limits=LimitSettings(requests_per_minute=3))
FAR = {"client": ("203.0.113.9", 1)}


def empties(quotas: Quotas, who: Principal | None, host: str | None) -> None:
    while (spent := quotas.ask(who, host, 0)) is not None and spent.allowed:
        pass


def asks(quotas: Quotas, who: Principal | None, host: str | None) -> bool:
    spent = quotas.ask(who, host, 0)
    return spent is None or spent.allowed


def test_a_principal_has_one_bucket_wherever_it_is() -> None:
    quotas = Quotas(2)
    empties(quotas, ANN, "192.0.2.1")
    assert not asks(quotas, ANN, "198.51.100.1")
    assert asks(quotas, Principal(name="bob", role=Role.VIEWER), "192.0.2.1")
    assert asks(quotas, Principal(name="ann", role=Role.VIEWER, api_key="hash"), "192.0.2.1")


@pytest.mark.parametrize("who", [None, ANONYMOUS])
def test_without_a_name_the_address_counts(who: Principal | None) -> None:
    quotas = Quotas(2)
    empties(quotas, who, "2001:db8::1")
    assert not asks(quotas, who, "2001:db8::ffff")
    assert asks(quotas, who, "2001:db8:0:1::1")
    empties(quotas, who, "127.0.0.1")
    assert not asks(quotas, who, "::1")
    assert not asks(quotas, who, None)
    assert asks(quotas, ANN, "2001:db8::1")


def test_failed_sign_ins_bar_an_address_for_a_while() -> None:
    quotas = Quotas(0, Trust.parse(["10.0.0.0/8"]))
    for host in ("203.0.113.9", "127.0.0.1", "10.0.0.1", None):
        for _ in range(FAILURES):
            quotas.check_sign_in(host, 0)
            quotas.sign_in_failed(host, 0)
    with pytest.raises(RateLimited, match="have failed") as raised:
        quotas.check_sign_in("203.0.113.9", 0)
    assert raised.value.retry_after == 1
    for host in ("203.0.113.8", "127.0.0.1", "10.0.0.1", None):
        quotas.check_sign_in(host, 0)
    quotas.check_sign_in("203.0.113.9", 1)


def test_an_allowance_counts_all_but_the_first() -> None:
    quotas = Quotas(3)
    assert asks(quotas, ANN, None)  # the operation itself
    allowance = Allowance(quotas, ANN, None)
    assert allowance.take(2, 0) == (2, None)
    fit, late = allowance.take(3, 0)
    assert fit == 1
    assert late is not None
    assert allowance.take(1, 0)[0] == 0
    assert Allowance(Quotas(0), ANN, None).take(1000, 0) == (1000, None)


def test_memory_is_bounded() -> None:
    assert len(Rates(5)) == 0
    rates = Rates(5, most=100)
    for number in range(1000):
        rates.spend(("ann", number), 0)
    assert len(rates) == 100


async def test_a_request_too_many(mock_clock: trio.testing.MockClock) -> None:
    async with serving(FEW) as served:
        left = []
        for _ in range(3):
            reply = await served.get("/v1/incidents", headers=bearer(Role.VIEWER))
            assert reply.status == 200
            assert reply.headers["RateLimit-Policy"] == '"default";q=3;w=60'
            left.append(reply.headers["RateLimit"].split(";")[1])
        assert left == ["r=2", "r=1", "r=0"]
        reply = await served.get("/v1/incidents", headers=bearer(Role.VIEWER))
        assert (reply.status, reply.json["code"]) == (429, "RATE_LIMIT_EXCEEDED")
        assert reply.media_type == "application/problem+json"
        assert 1 <= int(reply.headers["Retry-After"]) <= 20
        assert reply.headers["RateLimit"] == f'"default";r=0;t={reply.headers["Retry-After"]}'
        # Others, probes and those who watch the server go on.
        other = bearer(Role.VIEWER, "bob")
        assert (await served.get("/v1/incidents", headers=other)).status == 200
        assert (await served.get("/health")).status == 200
        assert (await served.get("/metrics", headers=bearer(Role.VIEWER))).status == 200
        # Graphql says it in its own words.
        reply = await served.post("/graphql", {"query": "{ cursor }"}, headers=bearer(Role.VIEWER))
        assert reply.status == 429
        [error] = reply.json["errors"]
        assert error["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert error["extensions"]["retryAfter"] == int(reply.headers["Retry-After"])


async def test_without_a_limit_nothing_is_said_of_it(mock_clock: trio.testing.MockClock) -> None:
    async with serving() as served:
        reply = await served.get("/v1/incidents")
        assert "RateLimit" not in reply.headers


async def far(served: Served, headers: dict[str, str]) -> tuple[int, str]:
    reply = await served.get("/v1/incidents", headers=headers, scope_base=FAR)
    return reply.status, reply.json["code"]


async def test_whoever_shows_nothing_is_counted_too(mock_clock: trio.testing.MockClock) -> None:
    served = recovering(FEW)
    for _ in range(3):
        assert (await served.get("/v1/incidents")).status == 401
    reply = await served.get("/v1/incidents")
    assert (reply.status, reply.json["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    # Who has a name is not counted with those who have none.
    reply = await served.get("/v1/incidents", headers=bearer(Role.VIEWER))
    assert reply.status == 503


async def test_guessing_is_stopped(mock_clock: trio.testing.MockClock) -> None:
    served = recovering(AUTHENTICATED)
    bad = {"Authorization": "Bearer x.y.z"}
    for _ in range(FAILURES):
        assert await far(served, bad) == (403, "UNAUTHORIZED")
    assert await far(served, bad) == (429, "RATE_LIMIT_EXCEEDED")
    assert await far(served, bearer(Role.VIEWER)) == (429, "RATE_LIMIT_EXCEEDED")
    # Who shows nothing is told what is needed; nobody else is concerned.
    assert await far(served, {}) == (401, "UNAUTHENTICATED")
    assert (await served.get("/v1/incidents", headers=bearer(Role.VIEWER))).status == 503


async def test_alerts_of_a_batch_count_one_by_one(mock_clock: trio.testing.MockClock) -> None:
    async with serving(OPEN) as served:
        batch = {"alerts": [{**ALERT, "title": f"T{number}"} for number in range(5)]}
        batch["alerts"].insert(1, {})
        headers = {"Idempotency-Key": "k1"}
        reply = await served.post("/v1/alerts", batch, headers=headers)
        assert reply.status == 202
        acks = reply.json["acks"]
        assert [ack["status"] for ack in acks] == [
            "ACCEPTED",
            "REJECTED",
            "ACCEPTED",
            "ACCEPTED",
            "RATE_LIMITED",
            "RATE_LIMITED",
        ]
        assert acks[-1]["incident_id"] is None
        assert "limits.requests_per_minute" in acks[-1]["message"]
        assert (await served.post("/v1/alerts", ALERT)).status == 429


async def test_an_answer_given_again_is_the_first_one(mock_clock: trio.testing.MockClock) -> None:
    async with serving(OPEN) as served:
        batch = {"alerts": [{**ALERT, "title": f"T{number}"} for number in range(5)]}
        headers = {"Idempotency-Key": "k1"}
        first = await served.post("/v1/alerts", batch, headers=headers)
        served.gateway.quotas = Quotas(100)
        again = await served.post("/v1/alerts", batch, headers=headers)
        assert again.headers["Idempotency-Replayed"] == "true"
        told = [
            [(ack["status"], ack["alert_id"]) for ack in reply.json["acks"]]
            for reply in (first, again)
        ]
        assert told[0] == told[1]
        assert [status for status, _ in told[0]].count("RATE_LIMITED") == 2


async def test_alerts_of_one_mutation_count_one_by_one(mock_clock: trio.testing.MockClock) -> None:
    async with serving(OPEN) as served:
        alert = '{source: "s", title: "t%d", description: "d", severity: P1}'
        fields = " ".join(
            f"a{number}: submitAlert(input: {alert % number}) {{ status incidentId }}"
            for number in range(5)
        )
        reply = await served.post("/graphql", {"query": f"mutation {{ {fields} }}"})
        acks = reply.json["data"]
        assert [acks[f"a{number}"]["status"] for number in range(5)] == [
            *["ACCEPTED"] * 3,
            *["RATE_LIMITED"] * 2,
        ]
        assert acks["a4"]["incidentId"] is None


async def test_changes_of_one_mutation_count_one_by_one(mock_clock: trio.testing.MockClock) -> None:
    async with serving(OPEN) as served:
        wanted = '{source: "s", title: "t", description: "d", severity: P1, incidentType: OTHER}'
        fields = " ".join(f"a{n}: createIncident(input: {wanted}) {{ id }}" for n in range(5))
        reply = await served.post("/graphql", {"query": f"mutation {{ {fields} }}"})
        assert reply.json["data"] is None
        [error] = reply.json["errors"]
        assert error["extensions"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert error["path"] == ["a3"]
        served.gateway.quotas = Quotas(100)
        assert (await served.get("/v1/incidents")).json["page_info"]["total_count"] == 3


async def test_what_nobody_reads_the_acks_of_is_taken_in_and_counted(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with serving(OPEN) as served:
        alerts = [{"labels": {"alertname": f"A{number}"}} for number in range(9)]
        reply = await served.post("/api/v2/alerts", alerts)
        assert [ack["status"] for ack in reply.json["acks"]] == ["ACCEPTED"] * 9
        late = await served.post("/api/v2/alerts", alerts)
        assert late.status == 429
        assert late.headers["Retry-After"]
