import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.auth import Role
from incident_manager.http.rest.idempotency import named
from incident_manager.http.rest.problems import InvalidFields
from unit.http.served import ALERT, AUTHENTICATED, SECRET, bearer, serving

KEY = {"Idempotency-Key": "one"}
SOLVED = {"method": "MANUAL", "notes": "done"}


@pytest.mark.parametrize("keys", [[""], ["a b"], ["é"], ["x" * 256], ["a", "a"], ["a\n"]])
def test_a_key_that_is_none_is_named(keys: list[str]) -> None:
    with pytest.raises(InvalidFields) as raised:
        named(keys, "ann", "POST", "/v1/alerts", b"")
    assert raised.value.errors[0].field == "Idempotency-Key"


def test_no_key() -> None:
    assert named([], "ann", "POST", "/v1/alerts", b"") is None


texts = st.text(st.characters(codec="utf-8"), max_size=8)
keys = st.from_regex(r"[!-~]{1,8}", fullmatch=True)


@given(st.lists(st.tuples(texts, texts, texts, keys), min_size=2, max_size=2, unique=True))
def test_two_names_are_never_equal(names: list[tuple[str, str, str, str]]) -> None:
    first, second = (named([key], *rest, b"") for *rest, key in names)
    assert first is not None
    assert second is not None
    assert first.name != second.name
    assert first.digest == second.digest


async def test_the_original_answer_again() -> None:
    async with serving() as served:
        first = await served.post("/v1/alerts", ALERT, headers=KEY)
        again = await served.post("/v1/alerts", ALERT, headers=KEY)
        assert (again.status, again.body) == (first.status, first.body)
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(served.store.records) == 1


async def test_another_body_is_422() -> None:
    async with serving() as served:
        await served.post("/v1/alerts", ALERT, headers=KEY)
        reply = await served.post("/v1/alerts", {**ALERT, "title": "Else"}, headers=KEY)
        assert (reply.status, reply.json["code"]) == (422, "CONFLICT")
        assert reply.fields == ["Idempotency-Key"]


async def test_a_key_is_of_one_principal_and_one_route() -> None:
    async with serving(AUTHENTICATED) as served:
        for subject in ("ann", "bob"):
            headers = {**KEY, **bearer(Role.RESPONDER, subject)}
            reply = await served.post("/v1/alerts", ALERT, headers=headers)
            assert "Idempotency-Replayed" not in reply.headers
            path = f"/v1/incidents/{reply.json['incident_id']}/resolve"
            await served.post(path, SOLVED, headers=headers)
        assert len(served.store.records) == 4


async def test_a_key_is_of_one_tenant_though_others_go_by_the_same_name() -> None:
    async with serving(AUTHENTICATED) as served:
        answers = []
        for tenant in ("acme", "corp", None):
            claims: dict[str, Any] = {"sub": "svc", "roles": "RESPONDER", "exp": time.time() + 60}
            if tenant:
                claims["selectors"] = {"tenant": tenant}
            shown = {"Authorization": f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"}
            reply = await served.post("/v1/alerts", ALERT, headers={**KEY, **shown})
            assert "Idempotency-Replayed" not in reply.headers
            answers.append(reply.json["incident_id"])
            again = await served.post("/v1/alerts", ALERT, headers={**KEY, **shown})
            assert again.headers["Idempotency-Replayed"] == "true"
            assert again.json == reply.json
        assert len(set(answers)) == 3


async def test_a_refusal_is_an_answer_too() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}/resolve"
        await served.post(path, SOLVED)
        first = await served.post(path, SOLVED, headers=KEY)
        again = await served.post(path, SOLVED, headers=KEY)
        assert first.status == again.status == 409
        assert first.body == again.body
        assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_change_of_one_incident_is_replayed_with_its_tag() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}/resolve"
        first = await served.post(path, SOLVED, headers=KEY)
        again = await served.post(path, SOLVED, headers=KEY)
        assert first.status == again.status == 200
        assert first.body == again.body
        assert first.headers["ETag"] == again.headers["ETag"] == '"2"'


async def test_a_bad_key_changes_nothing() -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", ALERT, headers={"Idempotency-Key": "a b"})
        assert (reply.status, reply.fields) == (400, ["Idempotency-Key"])
        assert served.store.records == []


async def test_the_acks_of_what_was_rejected_are_the_same_again() -> None:
    async with serving() as served:
        batch = {"alerts": [{}, ALERT, 3]}
        first = await served.post("/v1/alerts", batch, headers=KEY)
        again = await served.post("/v1/alerts", batch, headers=KEY)
        assert first.status == again.status == 202
        assert first.body == again.body
        other = await served.post("/v1/alerts", batch, headers={"Idempotency-Key": "two"})
        assert other.json["acks"][0]["alert_id"] != first.json["acks"][0]["alert_id"]
