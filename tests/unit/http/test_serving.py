import pytest
import trio
import trio.testing

from incident_manager.actors.errors import Unavailable
from incident_manager.http.exchange import during
from incident_manager.http.sections import LimitSettings
from incident_manager.http.serving import (
    PATIENCE,
    caller,
    change_in_time,
    gateway,
    in_time,
    read_in_time,
    session,
)
from incident_manager.http.settings import Settings
from unit.http.served import asked, recovering


async def test_a_read_that_takes_too_long_is_given_up(
    autojump_clock: trio.testing.MockClock,
) -> None:
    served = recovering(Settings(limits=LimitSettings(query_timeout=7.0)))
    with during(asked(served.gateway)):
        started = trio.current_time()
        with pytest.raises(trio.TooSlowError), read_in_time():
            await trio.sleep_forever()
        assert trio.current_time() - started == pytest.approx(7.0)


async def test_of_a_change_that_takes_too_long_nobody_knows_the_outcome(
    autojump_clock: trio.testing.MockClock,
) -> None:
    started = trio.current_time()
    with pytest.raises(Unavailable) as raised, change_in_time():
        await trio.sleep_forever()
    assert not raised.value.known
    assert trio.current_time() - started == pytest.approx(PATIENCE)


async def test_what_is_in_time_is_left_alone() -> None:
    waiting = recovering().gateway
    with in_time(waiting, changes=True), in_time(waiting, changes=False):
        await trio.lowlevel.checkpoint()


async def test_a_request_without_a_caller_has_no_session() -> None:
    served = recovering()
    with during(asked(served.gateway)):
        assert gateway() is served.gateway
        assert caller() is None
        with pytest.raises(RuntimeError, match="GET /health has no caller"):
            session()
