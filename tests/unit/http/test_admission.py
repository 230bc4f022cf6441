"""What every request goes through; that Quart and the direct way agree is in test_direct."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.roles import Role
from incident_manager.http.admission import admit, check_host, dress, problem_reply, refuse, told
from incident_manager.http.auth import Authenticator, AuthError
from incident_manager.http.gateway import Gateway
from incident_manager.http.rates import RateLimited, Spent
from incident_manager.http.sections import AuthSettings, LimitSettings, ServerSettings
from incident_manager.http.security_headers import EVERYWHERE
from incident_manager.http.settings import Settings
from unit.http.served import AUTHENTICATED, SECRET, asked, bearer, recovering

RESPONDER = Access(Role.RESPONDER)
PAGE = "https://page.example"
SHARED = Settings(server=ServerSettings(cors_origins=(PAGE,)))
LIMITED = Settings(
    auth=AuthSettings(jwt_secret=SECRET), limits=LimitSettings(requests_per_minute=1)
)


async def test_who_is_admitted_has_a_session() -> None:
    exchange = asked(recovering(AUTHENTICATED).gateway, "POST", headers=bearer(Role.RESPONDER))
    await admit(exchange, RESPONDER)
    assert exchange.session is not None
    assert exchange.session.principal.name == "rae"


async def test_nobody_need_say_who_they_are_where_no_role_is_needed() -> None:
    exchange = asked(recovering(AUTHENTICATED).gateway)
    await admit(exchange, Access(None))
    await admit(asked(recovering(AUTHENTICATED).gateway, "OPTIONS"), RESPONDER)
    assert (exchange.session, exchange.counted) == (None, False)


async def test_a_role_too_low_is_forbidden_and_was_counted() -> None:
    exchange = asked(recovering(LIMITED).gateway, headers=bearer(Role.VIEWER))
    with pytest.raises(Refused) as raised:
        await admit(exchange, RESPONDER)
    assert raised.value.code is ErrorCode.FORBIDDEN
    assert exchange.counted


async def test_in_open_mode_nobody_is_confined() -> None:
    exchange = asked(recovering().gateway)
    await admit(exchange, Access(Role.ADMIN, Scope.NONE))
    assert exchange.session is not None


async def test_pages_of_others_are_refused_before_anything_is_counted() -> None:
    exchange = asked(recovering(LIMITED).gateway, "POST", headers={"Origin": PAGE})
    with pytest.raises(Refused) as raised:
        await admit(exchange, RESPONDER)
    assert (raised.value.field, exchange.counted) == ("Origin", False)


async def test_a_name_that_is_not_ours_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        check_host(asked(recovering().gateway, headers={"Host": "evil.example"}))
    assert raised.value.field == "Host"


async def test_who_is_refused_too_often_is_told_so_instead() -> None:
    gateway = recovering(LIMITED).gateway
    error = AuthError(ErrorCode.UNAUTHENTICATED, "Credentials are needed.")
    assert refuse(asked(gateway), error) is error
    assert isinstance(refuse(asked(gateway), error), RateLimited)
    assert refuse(asked(gateway, path="/metrics"), error) is error


async def test_a_problem_is_answered_as_one() -> None:
    exchange = asked(recovering().gateway, path="/v1/alerts")
    problem = told(exchange, trio.TooSlowError())
    reply = problem_reply(exchange, problem)
    assert (problem.status, reply.status_code) == (504, 504)
    assert reply.content_type == "application/problem+json"


async def test_what_a_view_says_stands() -> None:
    own = [("Content-Type", "text/plain"), ("Cache-Control", "private"), ("ETag", '"1"')]
    found = dress(asked(recovering().gateway), own)
    assert found[:3] == own
    assert dict(found[3:]) == {
        name: text for name, text in EVERYWHERE.items() if name != "Cache-Control"
    }


async def test_what_became_of_the_request_is_said() -> None:
    exchange = asked(recovering().gateway)
    exchange.spent, exchange.replayed = Spent(True, 9, 8, 7), True
    found = dict(dress(exchange, []))
    assert found["RateLimit"] == '"default";r=8;t=7'
    assert found["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("own", "vary"),
    [
        ([], "Origin"),
        ([("Vary", "Accept")], "Accept, Origin"),
        ([("vary", "Accept"), ("Vary", "X")], "Accept, X, Origin"),
        ([("Vary", "origin, Accept")], "origin, Accept"),
    ],
)
async def test_answers_that_vary_by_origin_say_so_once(
    own: list[tuple[str, str]], vary: str
) -> None:
    found = dress(
        asked(recovering(SHARED).gateway, path="/v1/alerts", headers={"Origin": PAGE}), own
    )
    assert [text for name, text in found if name.lower() == "vary"] == [vary]
    assert ("Access-Control-Allow-Origin", PAGE) in found


names = st.sampled_from(["Cache-Control", "X-Frame-Options", "RateLimit", "Vary", "Link", "link"])


@given(st.lists(st.tuples(names, st.sampled_from(["a", "b"])), max_size=5))
def test_none_of_ours_is_there_twice(own: list[tuple[str, str]]) -> None:
    async def main() -> None:
        exchange = asked(Gateway(SHARED, Authenticator.from_settings(SHARED)))
        exchange.spent = Spent(True, 9, 8, 7)
        found = [name.lower() for name, _ in dress(exchange, own)]
        for name in ("ratelimit", "ratelimit-policy", "vary"):
            assert found.count(name) == 1
        given_names = [name.lower() for name, _ in own]
        for name in ("cache-control", "x-frame-options", "link"):
            assert found.count(name) == (given_names.count(name) or (name != "link"))

    trio.run(main)
