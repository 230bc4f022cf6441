from incident_manager.http.client import ClientEvent, Connected, Disconnected, TokenRenewed
from incident_manager.http.watch.link_state import LinkState

LOST = Disconnected(1001, "Going\x1baway", 3.0, 1)


def after(*events: ClientEvent) -> LinkState:
    """One event a second."""
    state = LinkState()
    for now, event in enumerate(events):
        state = state.after(event, float(now))
    return state


def test_at_first_it_connects() -> None:
    assert after().line(0) == "connecting"
    assert after(Connected(1, 0)) == LinkState(live=True)
    assert after(Connected(1, 0)).line(0) == "connected"


def test_a_loss_says_why_and_when_the_next_try_is() -> None:
    state = after(Connected(1, 0), LOST)
    assert (state.live, state.since, state.again, state.losses) == (False, 1.0, 4.0, 1)
    assert state.line(2.0) == "no connection: Going�away; try 2 in 2.0 s"
    assert state.line(9.0) == "no connection: Going�away; try 2 in 0.0 s"


def test_tries_that_lead_nowhere_are_one_loss() -> None:
    state = after(Connected(1, 0), LOST, LOST, Disconnected(None, "refused", 1.0, 3))
    assert (state.since, state.losses, state.tries, state.reason) == (1.0, 1, 3, "refused")


def test_coming_back_is_a_resume() -> None:
    state = after(Connected(1, 0), LOST, Connected(2, 1))
    assert (state.live, state.resumed, state.reason, state.losses) == (True, 2.0, None, 1)
    assert state.line(2.0) == "connected again, nothing was missed"


def test_a_renewal_changes_nothing() -> None:
    state = after(Connected(1, 0))
    assert state.after(TokenRenewed(accepted=True, expires_at=None), 9.0) is state
