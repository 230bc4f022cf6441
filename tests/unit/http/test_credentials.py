import pytest

from incident_manager.http.credentials import NONE, Credentials, of_headers, of_payload
from incident_manager.http.principal import AuthError


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (None, NONE),
        ({}, NONE),
        ([], NONE),
        ("Authorization", NONE),
        ({"Authorization": "Bearer x"}, Credentials("Bearer x")),
        ({"AUTHORIZATION": "Bearer x", "a": 1}, Credentials("Bearer x")),
        ({"authorization": 7}, NONE),
        ({"authorization": None, "Authorization": "Bearer y"}, Credentials("Bearer y")),
        ({"authorization": "a", "Authorization": "b"}, Credentials("a")),
        ({"x-api-key": "k"}, Credentials(None, "k")),
        ({"X-Api-Key": "k", "authorization": "a"}, Credentials("a", "k")),
    ],
)
def test_those_of_connection_init(payload: object, found: Credentials) -> None:
    assert of_payload(payload) == found


def test_those_of_headers() -> None:
    assert of_headers([(b"host", b"h")]) == NONE
    headers = [(b"X-API-Key", b"k\xe9"), (b"authorization", b"a"), (b"x-api-key", b"l")]
    assert of_headers(headers) == Credentials("a", "ké")


def test_whether_there_are_any() -> None:
    assert not NONE
    assert Credentials("")
    assert Credentials(None, "")


def test_they_are_not_shown() -> None:
    assert "hunter2" not in repr(Credentials("hunter2", "hunter2"))


@pytest.mark.parametrize("text", ["Bearer x", "bearer  x ", " BEARER x"])
def test_a_bearer(text: str) -> None:
    assert Credentials(text).bearer() == "x"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (None, "UNAUTHENTICATED"),
        ("", "UNAUTHENTICATED"),
        ("Bearer ", "UNAUTHENTICATED"),
        ("Basic x", "UNAUTHORIZED"),
        ("x", "UNAUTHORIZED"),
    ],
)
def test_no_bearer(text: str | None, code: str) -> None:
    with pytest.raises(AuthError) as caught:
        Credentials(text).bearer()
    assert caught.value.code == code
