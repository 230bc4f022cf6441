import io
import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.http.logs import REDACTED, Redactor, configure_logging

Lines = Callable[..., io.StringIO]


@pytest.fixture
def logs() -> Iterator[Lines]:
    """Configure logging to a text stream; put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configure(level: str = "info", *, json_logs: bool = False, secrets: tuple[str, ...] = ()):
        stream = io.StringIO()
        configure_logging(level, json_logs=json_logs, secrets=secrets, stream=stream)
        return stream

    yield configure
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_for_machines(logs: Lines) -> None:
    stream = logs(json_logs=True)
    structlog.get_logger("hub").info("lagged", position=7, id="a\nb")
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "event": "lagged",
        "level": "info",
        "logger": "hub",
        "position": 7,
        "id": "a\nb",
    }


def test_console_lines_for_a_person(logs: Lines) -> None:
    stream = logs()
    structlog.get_logger("hub").warning("lagged", position=7, peer="x\n[info] forged\x1b[2J")
    (line,) = stream.getvalue().splitlines()
    assert "lagged" in line
    assert "position=7" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("json_logs", [False, True])
def test_the_standard_library_goes_the_same_way(logs: Lines, json_logs: bool) -> None:
    stream = logs(json_logs=json_logs)
    logging.getLogger("hypercorn.error").handlers = []
    logging.getLogger("hypercorn.error").info("Running on %s", "http://127.0.0.1:8080")
    logging.getLogger("quart.app").error("broke with Authorization: Bearer %s", "abc.def")
    first, second = stream.getvalue().splitlines()
    assert "Running on http://127.0.0.1:8080" in first
    assert "hypercorn.error" in first
    assert "abc" not in second


def test_what_a_line_of_the_standard_library_has_besides_is_shown(logs: Lines) -> None:
    stream = logs(json_logs=True)
    logging.getLogger("audit").info("restart", extra={"actor": "root.hub", "token": "x"})
    entry = json.loads(stream.getvalue())
    assert (entry["actor"], entry["token"]) == ("root.hub", REDACTED)


def test_hypercorns_own_handlers_are_taken_away(logs: Lines) -> None:
    logger = logging.getLogger("hypercorn.error")
    logger.handlers = [logging.StreamHandler(io.StringIO())]
    logger.propagate = False
    stream = logs()
    logger.warning("once")
    assert logger.handlers == []
    assert stream.getvalue().count("once") == 1


def test_the_level_holds_for_both(logs: Lines) -> None:
    stream = logs("warning")
    structlog.get_logger("a").info("quiet")
    logging.getLogger("b").info("quiet")
    structlog.get_logger("a").warning("loud")
    logging.getLogger("b").warning("loud")
    assert stream.getvalue().count("loud") == 2
    assert "quiet" not in stream.getvalue()


def test_configured_again_nothing_is_doubled(logs: Lines) -> None:
    first, second = logs(), logs()
    structlog.get_logger("a").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_it_goes_to_standard_error(logs: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    logs()
    configure_logging()
    structlog.get_logger("a").info("here")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "here" in captured.err
    assert sys.stderr.isatty() or "\x1b" not in captured.err


@pytest.mark.parametrize("json_logs", [False, True])
def test_an_exception_is_shown_without_secrets_and_locals(logs: Lines, json_logs: bool) -> None:
    stream = logs(json_logs=json_logs, secrets=("configured value",))
    hidden_local = "value of a local"

    def fail() -> None:
        password = f"{hidden_local}"
        raise ValueError(
            f"refused eyJhbGciOiJIUzI1NiJ9.e30.sig and configured value {len(password)}"
        )

    try:
        fail()
    except ValueError:
        structlog.get_logger("a").exception("failed")
        logging.getLogger("b").exception("failed")
    text = stream.getvalue()
    assert text.count("Traceback") == 2
    assert text.count("ValueError: refused") == 2
    assert "in fail" in text
    for secret in ("eyJ", "sig and", "configured value", hidden_local):
        assert secret not in text.replace(f"{REDACTED} and {REDACTED}", "")


@pytest.mark.parametrize(
    "key",
    [
        "authorization",
        "Authorization",
        "token",
        "auth_token",
        "accessToken",
        "access-token",
        "jwt_secret",
        "secret",
        "secrets",
        "password",
        "db.password",
        "cookie",
        "Set-Cookie",
        "x-api-key",
        "X_API_KEY",
        "apiKey",
        "api_keys",
        "apikey",
        "credentials",
        "HTTP_COOKIE",
    ],
)
def test_a_key_that_names_a_secret(key: str) -> None:
    assert Redactor()(None, "info", {key: ["hunter2", 7]}) == {key: REDACTED}


@pytest.mark.parametrize(
    "key", ["event", "gen_ai.usage.input_tokens", "tokens", "key", "keys", "id", "authored", "api"]
)
def test_a_key_that_names_none(key: str) -> None:
    assert Redactor()(None, "info", {key: 7}) == {key: 7}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET / Authorization: Bearer abc", f"GET / Authorization: {REDACTED}"),
        ("authorization: Basic dXNlcjpwdw==", f"authorization: {REDACTED}"),
        ("{'Authorization': 'Bearer abc', 'a': 1}", f"{{'Authorization': {REDACTED}, 'a': 1}}"),
        ("bearer abc.def-ghi rest", f"bearer {REDACTED} rest"),
        ("got eyJhbGciOi.eyJzdWIi.c2ln.", f"got {REDACTED}"),
        ("/x?access_token=abc&y=1", f"/x?access_token={REDACTED}&y=1"),
        ('{"password": "a \\" b", "c": 1}', f'{{"password": {REDACTED}, "c": 1}}'),
        ("cookie: a=b; c=d\nnext", f"cookie: {REDACTED}\nnext"),
        ("redis://user:pw@host/0", f"redis://user:{REDACTED}@host/0"),
        ("X-API-Key: k1", f"X-API-Key: {REDACTED}"),
        ("input tokens: 500", "input tokens: 500"),
        ("http://127.0.0.1:8080/graphql/ws", "http://127.0.0.1:8080/graphql/ws"),
        ("", ""),
    ],
)
def test_secrets_in_text(text: str, expected: str) -> None:
    assert Redactor().text(text) == expected


def test_known_secrets_go_wherever_they_stand() -> None:
    redact = Redactor(("s3cr3t",))
    assert redact.value({"a": ["xs3cr3ty", b"s3cr3t"], "s3cr3t": 1}) == {
        "a": [f"x{REDACTED}y", REDACTED],
        REDACTED: 1,
    }
    assert "s3cr3t" not in repr(redact)


def test_values_stay_what_they_are_or_become_text() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "Odd(token=abc)"

    values = {
        "none": None,
        "yes": True,
        "n": 7,
        "x": 1.5,
        "nan": float("nan"),
        "odd": Odd(),
        "tuple": (1, "a"),
        "nested": {"n": [{"password": 1}]},
        "token": None,
    }
    assert Redactor()(None, "info", values) == {
        "none": None,
        "yes": True,
        "n": 7,
        "x": 1.5,
        "nan": "nan",
        "odd": f"Odd(token={REDACTED})",
        "tuple": [1, "a"],
        "nested": {"n": [{"password": REDACTED}]},
        "token": None,
    }


def test_a_structure_that_holds_itself_comes_to_an_end() -> None:
    loop: list[object] = ["a"]
    loop.append(loop)
    assert "..." in repr(Redactor().value(loop))


# A secret that no other text holds by chance.
SECRETS = st.text("ABCDEFGHJKMNPQRSTUVWXYZ0123456789", min_size=12, max_size=24)
JWTS = st.builds("eyJ{}.eyJ{}.{}".format, SECRETS, SECRETS, SECRETS)
PLAIN = st.text(max_size=10).filter(lambda text: "=" not in text)
NAMES = st.sampled_from(
    ["authorization", "Token", "client_secret", "password", "Cookie", "x-api-key", "apiKey"]
)


@st.composite
def leaks(draw: st.DrawFn) -> tuple[str, object]:
    """Some value with a secret in it, as it may come to be logged."""
    secret = draw(SECRETS)
    token = draw(JWTS)
    leak = draw(
        st.sampled_from(
            [
                {draw(NAMES): secret},
                {draw(NAMES): [{"deep": secret}]},
                repr({draw(NAMES): secret}),
                json.dumps({draw(NAMES): secret}),
                f"{draw(PLAIN)} Bearer {secret}",
                f"{draw(NAMES)}={secret}",
                f"{draw(NAMES)}: {secret}",
                f"amqp://user:{secret}@host",
                ValueError(f"Authorization: Basic {secret}"),
                f"BEARER {secret}".encode(),
            ]
        )
        | st.just(token)
        | st.just(f"{draw(PLAIN)}{token}{draw(PLAIN)}")
    )
    for wrap in draw(st.lists(st.sampled_from(["list", "map", "tuple", "text"]), max_size=4)):
        leak = {
            "list": lambda it: [draw(PLAIN), it],
            "map": lambda it: {draw(PLAIN): it},
            "tuple": lambda it: (it, draw(st.integers())),
            "text": lambda it: it if isinstance(it, str) else str(it),
        }[wrap](leak)
    return (secret if not _holds(leak, token) else token.rpartition(".")[2]), leak


def _holds(leak: object, text: str) -> bool:
    return text in repr(leak)


@given(leak=leaks(), where=st.sampled_from(["event", "value", "exception", "stdlib", "key"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@pytest.mark.parametrize("json_logs", [False, True])
def test_no_secret_is_ever_written(
    logs: Lines, json_logs: bool, leak: tuple[str, object], where: str
) -> None:
    secret, value = leak
    stream = logs(json_logs=json_logs)
    log = structlog.get_logger("a")
    match where:
        case "event":
            log.info(str(value))
        case "value":
            log.info("it", it=value)
        case "key":
            log.info("it", it={str(value): 1})
        case "stdlib":
            logging.getLogger("b").info("it: %s", value)
        case _:
            try:
                raise ValueError(value)
            except ValueError:
                log.exception("it")
    text = stream.getvalue()
    assert text.strip()
    assert secret not in text
