import pytest

from incident_manager.http.key_server import max_age


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("public", None),
        ("max-age=60", 60.0),
        ("public, Max-Age=60, must-revalidate", 60.0),
        ('max-age="60"', 60.0),
        ("s-maxage=60", None),
        ("x-max-age=60", None),
        ("max-age=", None),
        ("max-age=-1", None),
        ("no-cache, max-age=60", 0.0),
        ("No-Store", 0.0),
    ],
)
def test_how_long_an_answer_is_good(header: str | None, seconds: float | None) -> None:
    assert max_age(header) == seconds
