import io

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from incident_manager.http.watch.link_state import LinkState
from incident_manager.http.watch.model import SEVERITIES, STATES, Board, Wanted
from incident_manager.http.watch.view import View
from unit.http.watch.boards import row, update

LIVE = LinkState(live=True)
NOW = 2000.0


def view(*rows: object, link: LinkState = LIVE, **fields: object) -> View:
    board = Board(Wanted()).load(rows)  # type: ignore[arg-type]
    return View("ws://here/graphql/ws", board, link, NOW, **fields)  # type: ignore[arg-type]


def drawn(seen: View, width: int = 120, height: int = 24) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(seen)
    return capture.get().splitlines()


def text(seen: View, width: int = 120, height: int = 24) -> str:
    return "\n".join(drawn(seen, width, height))


def test_all_of_it() -> None:
    seen = view(
        row(1, severity="P0", title="Checkout is slow", alertCount=12, assignees=["ann", "bob"]),
        row(2, severity="P3", state="INVESTIGATING"),
        last=update(1, "ASSIGNED", title="Checkout is slow"),
    )
    lines = drawn(seen)
    assert "Incident Manager  ws://here/graphql/ws" in lines[0]
    assert lines[0].endswith("● LIVE")
    assert lines[1].split() == ["P0", "1", "P3", "1", "2", "active"]
    assert lines[3].split() == ["SEV", "STATE", "AGE", "INCIDENT", "ALERTS", "SOURCE", "ASSIGNEE"]
    first = [
        "P0",
        "NEW",
        "16m",
        "39s",
        "Checkout",
        "is",
        "slow",
        "\N{MULTIPLICATION SIGN}12",
        "tests",
        "ann,",
        "bob",
    ]
    assert lines[5].split() == first
    second = ["P3", "INVESTIGATING", "16m", "38s", "incident", "2", "1", "tests", "-"]
    assert lines[6].split() == second
    assert lines[7].rstrip() == "00:33:20Z ASSIGNED Checkout is slow by ann  Ctrl-C ends"


def test_a_wide_terminal_has_the_ids() -> None:
    assert row(1).id in text(view(row(1)), 160)
    assert row(1).id not in text(view(row(1)), 120)


def test_a_narrow_terminal_has_what_matters() -> None:
    lines = drawn(view(row(1, severity="P1", state="INVESTIGATING", title="Disk is full")), 44)
    assert lines[3].split() == ["SEV", "STATE", "AGE", "INCIDENT"]
    assert lines[5].split() == ["P1", "INVEST", "16m", "39s", "Disk", "is", "full"]


def test_what_changed_just_now_is_marked() -> None:
    board = Board(Wanted()).load([row(1)]).apply(update(1, version=2), NOW - 1)
    assert "▌ P2" in text(evolve(view(), board=board))
    assert "▌ P2" not in text(evolve(view(), board=board, now=NOW + 10))


def test_nothing_to_see() -> None:
    assert "✓ No active incidents that match." in text(view())


def test_before_the_first_snapshot() -> None:
    seen = text(view(link=LinkState(), loaded=False))
    assert "CONNECTING" in seen
    assert "Waiting for the server" in seen
    assert "active" not in seen


def test_a_lost_connection() -> None:
    lost = LinkState(since=NOW - 20, reason="Connection refused", again=NOW + 4, tries=3, losses=1)
    lines = drawn(view(row(1), link=lost))
    assert lines[0].endswith("○ RECONNECTING in 4 s, try 4")
    assert lines[1].rstrip().endswith("1 active  as of 00:33:00Z, Connection refused")


def test_a_resume_is_told_for_a_while() -> None:
    link = LinkState(live=True, resumed=NOW - 5, losses=1)
    assert "resumed 5s ago, nothing was missed" in text(view(row(1), link=link))
    later = evolve(view(row(1), link=link), now=NOW + 100)
    assert "resumed" not in text(later)


def test_more_than_fits() -> None:
    seen = view(*[row(number) for number in range(50)])
    lines = drawn(seen, height=20)
    assert len(lines) == 20
    assert lines[-1].startswith("… and 36 more")


def test_on_paper_all_of_it_is_there() -> None:
    lines = drawn(view(*[row(number) for number in range(50)], printed=True), height=20)
    assert len(lines) == 2 + 2 + 50
    assert lines[0].split() == ["P2", "50", "50", "active"]
    assert "Ctrl-C" not in "".join(lines)


def test_where_there_is_no_unicode() -> None:
    board = Board(Wanted()).load([row(1, alertCount=3)]).apply(update(1, version=2), NOW - 1)
    for seen in (
        evolve(view(unicode=False), board=board),
        view(unicode=False),
        view(*[row(number) for number in range(50)], unicode=False),
        view(unicode=False, link=LinkState()),
    ):
        assert text(seen).isascii()


def test_a_title_cannot_paint_the_screen() -> None:
    seen = view(row(1, title="\x1b[2Jboo", source="\x9b2J", assignees=["\x07"]))
    assert not {"\x1b", "\x9b", "\x07"}.intersection(text(seen))


ROWS = st.builds(
    row,
    st.integers(1, 500),
    severity=st.sampled_from(SEVERITIES),
    state=st.sampled_from(STATES),
    title=st.text(min_size=1, max_size=600),
    source=st.text(min_size=1, max_size=255),
    assignees=st.lists(st.text(min_size=1, max_size=40), max_size=3),
    alertCount=st.integers(1, 99_999),
)
LINKS = st.builds(
    LinkState,
    live=st.booleans(),
    since=st.floats(0, NOW),
    reason=st.none() | st.just("Connection refused"),
    again=st.floats(NOW, NOW + 30),
    tries=st.integers(0, 99),
    resumed=st.none() | st.floats(0, NOW),
)


@given(
    rows=st.lists(ROWS, max_size=60),
    link=LINKS,
    loaded=st.booleans(),
    active=st.booleans(),
    width=st.integers(30, 200),
    height=st.integers(8, 60),
)
def test_it_fits_whatever_the_terminal(
    rows: list[object], link: LinkState, loaded: bool, active: bool, width: int, height: int
) -> None:
    board = Board(Wanted(active_only=active)).load(rows)  # type: ignore[arg-type]
    seen = View("ws://here/graphql/ws", board, link, NOW, loaded=loaded)
    lines = drawn(seen, width, height)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [30, 56, 72, 96, 150])
def test_the_severity_is_there_at_any_width(width: int) -> None:
    assert "P2" in text(view(row(1)), width)
