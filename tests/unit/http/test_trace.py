import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.trace import read_traceparent

IDS = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (f"00-{IDS}", f"00-{IDS}"),
        (f" 00-{IDS} ", f"00-{IDS}"),
        (f"01-{IDS}", f"01-{IDS}"),
        (f"01-{IDS}-and-more", f"01-{IDS}"),
        (None, None),
        ("", None),
        (f"00-{IDS}-more", None),
        (f"00-{IDS}0", None),
        (f"01-{IDS}0", None),
        (f"ff-{IDS}", None),
        (f"00-{IDS.upper()}", None),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", None),
        (f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01", None),
    ],
)
def test_a_traceparent_is_kept_if_it_is_well_formed(header: str | None, kept: str | None) -> None:
    assert read_traceparent(header) == kept


@given(st.text())
def test_no_text_makes_more_than_a_traceparent(text: str) -> None:
    kept = read_traceparent(text)
    assert kept is None or (len(kept) == 55 and read_traceparent(kept) == kept)
