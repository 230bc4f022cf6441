from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.config import (
    SettingsError,
    load_settings,
    process_settings,
    settings_reference,
)
from incident_manager.http.settings import SECTIONS, SETTINGS, Setting, Settings

SECRET = "0123456789abcdef0123456789abcdef"


def load(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    toml: str | None = None,
    **options: bool,
) -> Settings:
    """Load from these sources; ``toml`` is the text of the file ``lim.toml``."""

    def read(path: str) -> bytes:
        if toml is None or path != "lim.toml":
            raise FileNotFoundError(2, "No such file or directory")
        return toml.encode()

    given = dict(flags or {})
    if toml is not None:
        given["config"] = "lim.toml"
    return load_settings(given, environ or {}, read, **options)


def refusal(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    toml: str | None = None,
) -> str:
    with pytest.raises(SettingsError) as caught:
        load(flags, environ, toml)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_nothing_given_is_the_defaults() -> None:
    assert load() == Settings()


def test_flags_over_environment_over_file_over_defaults() -> None:
    toml = "[server]\nhttp_port = 1\nmax_connections = 1\ngraceful_timeout = 11"
    settings = load(
        {"server.http_port": "3"},
        {"LIM_SERVER_HTTP_PORT": "2", "LIM_SERVER_MAX_CONNECTIONS": "2"},
        toml,
    )
    server = settings.server
    assert (server.http_port, server.max_connections, server.graceful_timeout) == (3, 2, 11.0)
    assert server.drain_window == Settings().server.drain_window


def test_the_file_may_be_named_in_the_environment_and_a_flag_wins() -> None:
    files = {"a.toml": b"[server]\nhttp_port = 1", "b.toml": b"[server]\nhttp_port = 2"}
    environ = {"LIM_CONFIG": "a.toml"}
    assert load_settings({}, environ, files.__getitem__).server.http_port == 1
    assert load_settings({"config": None}, environ, files.__getitem__).server.http_port == 1
    settings = load_settings({"config": "b.toml"}, environ, files.__getitem__)
    assert settings.server.http_port == 2


def test_flags_that_were_not_given_are_passed_over() -> None:
    assert load({setting.key: None for setting in SETTINGS}) == Settings()


def test_every_type_in_toml() -> None:
    settings = load(
        toml="""
        [server]
        host = "0.0.0.0"
        insecure = true
        cors_origins = []
        graceful_timeout = "1m"
        [auth.scope_roles]
        [state]
        url = "memory:"
        retention_days = 0.5
        [observability]
        log_level = "DEBUG"
        """
    )
    assert settings.server.host == "0.0.0.0"
    assert settings.server.insecure
    assert settings.server.graceful_timeout == 60.0
    assert settings.state.retention_days == 0.5
    assert settings.observability.log_level == "debug"


@pytest.mark.parametrize(
    ("flags", "environ", "toml", "message"),
    [
        (
            {"server.http_port": "80a"},
            {},
            None,
            "server.http_port: '80a' is not a whole number (from --server-http-port)",
        ),
        (
            {},
            {"LIM_SERVER_HTTP_PORT": "80a"},
            None,
            "server.http_port: '80a' is not a whole number (from LIM_SERVER_HTTP_PORT)",
        ),
        (
            {},
            {},
            "[server]\nhttp_port = '80'",
            None,
        ),
        (
            {},
            {},
            "[server]\nhttp_port = 99999",
            "server.http_port: 99999 is more than 65535 (from lim.toml)",
        ),
        (
            {},
            {"LIM_SERVER_PROT": "1"},
            None,
            "unknown setting LIM_SERVER_PROT, did you mean LIM_SERVER_HOST? (from the environment)",
        ),
        (
            {"server.prot": "1"},
            {},
            None,
            "unknown setting 'server.prot', did you mean server.host? (from a flag)",
        ),
        (
            {},
            {},
            "[server]\nhttp-port = 1",
            "unknown setting 'server.http-port', did you mean server.http_port? (in lim.toml)",
        ),
        ({}, {}, "[sever]", "unknown section 'sever', did you mean server? (in lim.toml)"),
        ({}, {}, "[zzz]", "unknown section 'zzz' (in lim.toml)"),
        ({}, {}, "server = 1", "server must be a table of settings (in lim.toml)"),
        (
            {"auth.jwt_secret": "short"},
            {},
            None,
            "auth.jwt_secret: the value is 5 bytes long; HS256 needs at least 32"
            " (RFC 7518 section 3.2) (from --auth-jwt-secret)",
        ),
        (
            {"server.tls_cert": "a.pem"},
            {},
            None,
            "server.tls_cert needs server.tls_key too (from --server-tls-cert)",
        ),
        (
            {},
            {"LIM_SERVER_TLS_KEY": "a.pem"},
            None,
            "server.tls_key needs server.tls_cert too (from LIM_SERVER_TLS_KEY)",
        ),
        (
            {"server.graceful_timeout": "5"},
            {},
            None,
            "server.drain_window (10s) is longer than server.graceful_timeout (5s)"
            " (from --server-graceful-timeout)",
        ),
        (
            {"auth.jwt_algorithm": "rs256"},
            {},
            None,
            "auth.jwt_algorithm needs a key that verifies tokens: auth.jwt_secret,"
            " auth.jwt_public_key, auth.jwks_url or auth.issuer (from --auth-jwt-algorithm)",
        ),
        (
            {"auth.jwks_url": "http://keys.example.org/"},
            {},
            None,
            "auth.jwks_url must be https: http is for this machine (localhost) only"
            " (from --auth-jwks-url)",
        ),
        (
            {},
            {"LIM_AUTH_JWT_SECRET": SECRET, "LIM_AUTH_JWT_ALGORITHM": "RS256"},
            None,
            "auth.jwt_algorithm RS256: auth.jwt_secret takes HS256 only"
            " (from LIM_AUTH_JWT_ALGORITHM)",
        ),
        (
            {},
            {"LIM_AUTH_API_KEYS": "ci=ADMIN md5:hunter2"},
            None,
            "auth.api_keys: the value has for 'ci' no hash (sha256: and 64 hexadecimal digits)"
            " (from LIM_AUTH_API_KEYS)",
        ),
        (
            {"bus.url": "redis://127.0.0.1"},
            {},
            None,
            "bus.url is not available in this version (from --bus-url)",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_source(
    flags: Mapping[str, object], environ: Mapping[str, str], toml: str | None, message: str | None
) -> None:
    if message is None:
        # Text in TOML is read as text is elsewhere.
        assert load(flags, environ, toml).server.http_port == 80
    else:
        assert refusal(flags, environ, toml) == message


def test_a_wrong_value_is_refused_even_where_another_source_wins() -> None:
    text = refusal({"server.http_port": "1"}, {"LIM_SERVER_HTTP_PORT": "x"})
    assert "LIM_SERVER_HTTP_PORT" in text


def test_a_long_value_is_cut_and_a_secret_is_not_shown() -> None:
    assert len(refusal({"server.http_port": "x" * 10_000})) < 200
    assert "hunter2" not in refusal({}, {"LIM_AUTH_JWT_SECRET": "hunter2"})


def test_a_file_that_cannot_be_read() -> None:
    assert refusal({"config": "x.toml"}) == (
        "cannot read 'x.toml': No such file or directory (from --config)"
    )
    assert refusal({}, {"LIM_CONFIG": "x.toml"}).endswith("(from LIM_CONFIG)")


@pytest.mark.parametrize("toml", ["[server", "a = ", "\x00", "[server]\n[server]"])
def test_a_file_that_is_not_toml(toml: str) -> None:
    assert refusal(toml=toml).startswith("'lim.toml' is not TOML: ")


def test_a_file_that_is_not_utf8() -> None:
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings({"config": "x"}, {}, lambda _path: b"\xff")


PENDING_VALUES: dict[type, object] = {bool: "yes", int: "7", float: "7", str: "x", tuple: "x"}


@pytest.mark.parametrize(
    "setting", [row for row in SETTINGS if row.about.pending], ids=lambda row: row.key
)
def test_a_pending_setting_takes_nothing_but_its_default(setting: Setting) -> None:
    raw = PENDING_VALUES.get(setting.type, "a=b")
    if setting.default is True:
        raw = "no"
    assert f"{setting.key} is not available in this version" in refusal(
        {}, {setting.variable: str(raw)}
    )
    if isinstance(setting.default, bool | int | float):
        assert load({}, {setting.variable: str(setting.default)}) == Settings()


def test_postgresql_is_not_available_yet() -> None:
    text = refusal({}, {"LIM_STATE_URL": "postgresql://u@h/db"})
    assert text.startswith("state.url: ")
    assert "not available in this version" in text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_server_stays_on_loopback(host: str) -> None:
    text = refusal({"server.host": host})
    assert text.startswith("server.host: without credentials only loopback is served")
    assert text.endswith("(from --server-host)")
    assert load({"server.host": host, "server.insecure": True}).server.host == host
    assert load({"server.host": host, "auth.jwt_secret": SECRET}).server.host == host
    assert load({"server.host": host}, serving=False).server.host == host


def test_an_open_server_is_not_open_to_every_page() -> None:
    text = refusal({"server.cors_origins": "*"})
    assert text.startswith("server.cors_origins: without credentials `*` would make every page")
    for more in ({"server.insecure": True}, {"auth.jwt_secret": SECRET}):
        assert load({"server.cors_origins": "*", **more}).server.cors_origins == ("*",)
    assert load({"server.cors_origins": "https://a"}).server.cors_origins == ("https://a",)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.1"])
def test_an_open_server_may_name_a_loopback_address(host: str) -> None:
    assert load({"server.host": host}).server.host == host


def test_the_process_is_a_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIM_SERVER_HTTP_PORT", "9001")
    monkeypatch.delenv("LIM_CONFIG", raising=False)
    assert process_settings().server.http_port == 9001
    assert process_settings({"server.http_port": "9002"}).server.http_port == 9002


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4))
def test_other_variables_are_nobodys_business(environ: dict[str, str]) -> None:
    others = {name: value for name, value in environ.items() if not name.startswith("LIM_")}
    assert load({}, others) == Settings()


@given(
    st.sampled_from([row for row in SETTINGS if not row.about.pending and row.type is int]),
    st.sampled_from(["flag", "environ", "toml"]),
    st.integers(8192, 60_000),
)
def test_every_source_says_the_same(row: Setting, source: str, number: int) -> None:
    settings = {
        "flag": lambda: load({row.key: str(number)}),
        "environ": lambda: load({}, {row.variable: str(number)}),
        "toml": lambda: load(toml=f"[{row.section}]\n{row.name} = {number}"),
    }[source]()
    assert row.of(settings) == number


def test_the_reference_has_a_row_for_every_setting() -> None:
    text = settings_reference()
    for section in SECTIONS:
        assert f"### `{section}.`" in text
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}
    assert list(rows) == [setting.key for setting in SETTINGS]
    for setting in SETTINGS:
        line = rows[setting.key]
        assert f"`{setting.flag}`" in line
        assert f"`{setting.variable}`" in line
        assert setting.about.help in line
        assert ("Not available" in line) == setting.about.pending
    assert "| `server.http_port` | `8080` | `--server-http-port`, `--port`, " in text
