"""A minute of what ``make soak`` does to the console for thirty."""

import pytest

from load.console_soak import soak


@pytest.mark.slow
@pytest.mark.component("chromium")
async def test_the_console_shows_what_the_server_has_after_a_minute_of_events() -> None:
    [look] = await soak(1.0, 50.0)
    assert look.events > 1_000
    assert look.frames.count > 0
    assert look.held.heap > 0
