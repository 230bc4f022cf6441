import pytest

from incident_manager.http.client.errors import ClientError, OperationFailed, Refused


@pytest.mark.parametrize(
    ("errors", "text", "code"),
    [
        ([], "no result", None),
        ([{"message": "m"}], "m", None),
        ([{"message": "m", "extensions": {}}], "m", None),
        ([{"message": "m", "extensions": {"code": 7}}], "m", None),
        (
            [{"message": "m", "extensions": {"code": "FORBIDDEN"}}, {"message": "n"}],
            "m; n",
            "FORBIDDEN",
        ),
    ],
)
def test_what_failed_and_its_code(
    errors: list[dict[str, object]], text: str, code: str | None
) -> None:
    failed = OperationFailed(errors, {"x": 1})
    assert (str(failed), failed.code, failed.data) == (text, code, {"x": 1})
    assert isinstance(failed, ClientError)


def test_a_refusal_says_its_code_and_reason() -> None:
    assert str(Refused(4403, "Forbidden")) == "the server refused the connection (4403): Forbidden"
