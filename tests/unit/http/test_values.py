import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.settings import SETTINGS, Setting
from incident_manager.http.values import BadValue, parse, parse_duration

ROWS = {setting.key: setting for setting in SETTINGS}


@pytest.mark.parametrize(
    ("key", "raw", "value"),
    [
        ("server.http_port", "9000", 9000),
        ("server.http_port", " 9_000 ", 9000),
        ("server.http_port", 9000, 9000),
        ("server.insecure", "Yes", True),
        ("server.insecure", "0", False),
        ("server.insecure", True, True),
        ("limits.init_timeout", "1.5", 1.5),
        ("limits.init_timeout", "500ms", 0.5),
        ("limits.init_timeout", "2 m", 120.0),
        ("limits.init_timeout", 3, 3.0),
        ("limits.init_timeout", "1h", 3600.0),
        ("state.retention_days", "0.5", 0.5),
        ("server.cors_origins", "https://a, https://b", ("https://a", "https://b")),
        ("server.cors_origins", "", ()),
        ("server.cors_origins", ["https://a"], ("https://a",)),
        ("server.trusted_proxies", "10.0.0.0/8, ::1, unix", ("10.0.0.0/8", "::1", "unix")),
        ("auth.scope_roles", "a=VIEWER, b=ADMIN", {"a": "VIEWER", "b": "ADMIN"}),
        ("auth.scope_roles", "", {}),
        ("auth.scope_roles", {"a": "VIEWER"}, {"a": "VIEWER"}),
        ("processing.severity_map", "Sev1=p0, sev2 = P1", {"sev1": "P0", "sev2": "P1"}),
        ("processing.severity_map", {" Page ": "P1"}, {"page": "P1"}),
        ("observability.log_level", "DEBUG", "debug"),
        ("auth.jwt_algorithm", "eddsa", "EdDSA"),
        ("server.host", "[::1]", "::1"),
        ("state.url", "memory:", "memory:"),
        ("state.url", "sqlite:////x.db", "sqlite:////x.db"),
        ("auth.jwt_secret", "é" * 16, "é" * 16),
        ("auth.roles_claim", "https://example.org/roles", "https://example.org/roles"),
    ],
)
def test_what_parses(key: str, raw: object, value: object) -> None:
    assert parse(ROWS[key], raw) == value


@pytest.mark.parametrize(
    ("key", "raw", "words"),
    [
        ("server.http_port", "80a", "is not a whole number"),
        ("server.http_port", "", "is not a whole number"),
        ("server.http_port", "8.0", "is not a whole number"),
        ("server.http_port", 8.0, "is not a whole number"),
        ("server.http_port", True, "is not a whole number"),
        ("server.http_port", "9" * 5000, "is not a whole number"),
        ("server.http_port", "65536", "is more than 65535"),
        ("server.trusted_proxies", "10.0.0.1, x", "has 'x', which is neither an address"),
        ("server.trusted_proxies", ["10.0.0.1/8"], "an address in the network 10.0.0.0/8"),
        ("server.http_port", -1, "is less than 0"),
        ("server.max_connections", 2**60, "is more than"),
        ("server.insecure", "maybe", "neither true nor false"),
        ("server.insecure", 1, "neither true nor false"),
        ("limits.init_timeout", "soon", "is not a duration"),
        ("limits.init_timeout", "nan", "is not a duration"),
        ("limits.init_timeout", math.nan, "is not a number"),
        ("limits.init_timeout", math.inf, "is not a number"),
        ("limits.init_timeout", False, "is not a number"),
        ("limits.init_timeout", "0", "is less than 0.01s"),
        ("limits.init_timeout", "2d", "is more than 86400s"),
        ("state.retention_days", "30d", "is not a number"),
        ("server.cors_origins", "a,,b", "is not a list of strings"),
        ("server.cors_origins", "a.example", "has 'a.example', which is no origin"),
        ("server.cors_origins", "https://a/b", "has 'https://a/b', which is no origin"),
        ("server.allowed_origins", "null", "has 'null', which is no origin"),
        ("server.cors_origins", [1], "is not a list of strings"),
        ("server.cors_origins", {"a": "b"}, "is not a list of strings"),
        ("auth.scope_roles", "a", "is not a map of strings"),
        ("auth.scope_roles", "a=b,a=c", "names a key twice"),
        ("auth.scope_roles", ["a"], "is not a map of strings"),
        ("auth.scope_roles", {"a": 1}, "is not a map of strings"),
        (
            "processing.severity_map",
            "sev1=P9",
            "gives 'sev1' the severity 'P9', none of P0, P1, P2, P3, P4",
        ),
        ("processing.severity_map", "sev1", "is not a map of strings"),
        ("processing.severity_map", "sev1=P1,SEV1=P2", "names a word twice"),
        ("observability.log_level", "loud", "is not one of debug, info"),
        ("server.host", "127.0.0.1:80", "is not an address or a host name"),
        ("server.host", 1, "is not a string"),
        ("server.host", " ", "is empty"),
        ("auth.roles_claim", "a\nb", "control characters"),
        ("state.url", "incidents.db", "is neither sqlite:///path/to/file.db nor memory:"),
        ("state.url", "sqlite:///", "is neither"),
        ("state.url", "sqlite:///:memory:", "is neither"),
        ("state.url", "sqlite:///x.db?mode=ro", "is neither"),
        ("state.url", "postgresql://h/db", "needs PostgreSQL, which is not available"),
        ("auth.jwt_secret", "x" * 31, "is 31 bytes long; HS256 needs at least 32"),
    ],
)
def test_what_does_not_parse(key: str, raw: object, words: str) -> None:
    with pytest.raises(BadValue, match=words.replace("(", r"\(")):
        parse(ROWS[key], raw)


@given(st.sampled_from(SETTINGS), st.text() | st.integers() | st.floats() | st.lists(st.text()))
def test_anything_parses_or_is_a_bad_value(row: Setting, raw: object) -> None:
    with suppress(BadValue):
        assert isinstance(parse(row, raw), row.type)


@given(st.sampled_from([row for row in SETTINGS if row.type is int]), st.integers(0, 2**53))
def test_a_whole_number_in_range_comes_back(setting: Setting, number: int) -> None:
    least, most = setting.about.least or 0, setting.about.most or 2**53
    if least <= number <= most:
        assert parse(setting, str(number)) == parse(setting, number) == number


@given(st.integers(0, 10**9), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]))
def test_a_duration_is_its_number_of_units(number: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize("text", ["", "h", "1w", "1h30m", "1e3", "inf", "1.2.3"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadValue, match="is not a duration"):
        parse_duration(text)
