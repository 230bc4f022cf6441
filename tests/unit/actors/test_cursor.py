import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.cursor import Cursor, CursorError

EPOCHS = st.from_regex(r"[0-9A-Za-z_-]{1,64}", fullmatch=True)
OFFSETS = st.integers(0, 10**18 - 1)


@given(EPOCHS, OFFSETS)
def test_what_is_written_is_read_again(epoch: str, offset: int) -> None:
    cursor = Cursor(epoch, offset)
    assert str(cursor) == f"{epoch}:{offset}"
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text() | st.from_regex(r"[0-9a-z:_-]{0,12}", fullmatch=True))
def test_a_text_that_is_read_is_the_only_way_to_write_its_cursor(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except CursorError:
        return
    assert str(cursor) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:",
        ":1",
        "a:-1",
        "a:+1",
        "a:01",
        "a:1 ",
        " a:1",
        "a:1\n",
        "a:1:2",
        "a b:1",
        "a:1.0",
        "a:\u0661",
        "é:1",
        "a:" + "9" * 19,
        "a" * 65 + ":1",
        None,
        7,
        b"a:1",
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(CursorError, match="epoch:offset"):
        Cursor.parse(text)


def test_a_cursor_error_is_a_value_error() -> None:
    assert issubclass(CursorError, ValueError)
