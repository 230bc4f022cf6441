import attrs
import pytest

from incident_manager.http.sections import AuthSettings, ServerSettings, StateSettings
from incident_manager.http.settings import CREDENTIALS, SECTIONS, SETTINGS, Setting, Settings

# The names of the contract, section 9, in its order.
CONTRACT = {
    "server": "host http_port unix_socket max_connections tls_cert tls_key graceful_timeout "
    "drain_window allowed_origins cors_origins trusted_proxies compression io_uring ping_interval "
    "pong_timeout max_body_bytes insecure",
    "auth": "jwt_secret jwt_public_key jwt_algorithm jwks_url issuer audience roles_claim "
    "scope_roles api_keys api_keys_file open_metrics",
    "limits": "connections_per_address subscriptions_per_connection messages_per_second "
    "message_bytes subscription_depth subscription_complexity query_depth query_complexity "
    "requests_per_minute query_timeout init_timeout stall_timeout outbox_bytes",
    "graphql": "introspection",
    "state": "url retention_days retention_events audit_retention_days",
    "bus": "url",
    "processing": "deduplication_window_secs severity_map drop_labels mask_labels",
    "observability": "log_level json_logs",
}

DEFAULTS = {
    "server.http_port": 8080,
    "server.max_connections": 10_000,
    "limits.connections_per_address": 100,
    "limits.subscriptions_per_connection": 10,
    "limits.messages_per_second": 100,
    "limits.message_bytes": 256 * 1024,
    "limits.subscription_depth": 10,
    "limits.subscription_complexity": 100,
    "limits.query_depth": 15,
    "limits.query_complexity": 1000,
    "limits.requests_per_minute": 0,
    "limits.query_timeout": 30.0,
    "limits.init_timeout": 60.0,
    "graphql.introspection": True,
    "state.url": "sqlite:///incidents.db",
    "bus.url": None,
    "processing.deduplication_window_secs": 900.0,
    "server.compression": False,
    "server.insecure": False,
}


def test_the_settings_are_those_of_the_contract() -> None:
    assert {section: " ".join(_names(section)) for section in SECTIONS} == CONTRACT


def _names(section: str) -> list[str]:
    return [setting.name for setting in SETTINGS if setting.section == section]


def test_the_defaults_of_the_contract() -> None:
    settings = Settings()
    assert {row.key: row.of(settings) for row in SETTINGS if row.key in DEFAULTS} == DEFAULTS


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_each_row_is_whole(setting: Setting) -> None:
    about = setting.about
    assert setting.type in (bool, int, float, str, tuple) or setting.type.__name__ == "Mapping"
    assert about.help.endswith(".")
    if setting.type in (int, float):
        assert about.least is not None
        assert about.least <= setting.default
        assert about.most is None or setting.default <= about.most
    if about.choices:
        assert setting.optional or setting.default in about.choices
    assert setting.optional == (setting.default is None)


def test_names_in_every_source() -> None:
    (port,) = (setting for setting in SETTINGS if setting.key == "server.http_port")
    assert (port.flag, port.variable) == ("--server-http-port", "LIM_SERVER_HTTP_PORT")
    assert port.about.alias == "--port"


def test_flags_and_aliases_are_all_different() -> None:
    flags = [flag for row in SETTINGS for flag in (row.flag, row.about.alias) if flag]
    assert len(flags) == len(set(flags))
    assert len({row.variable for row in SETTINGS}) == len(SETTINGS)


def test_without_credentials_it_is_open() -> None:
    assert Settings().open


@pytest.mark.parametrize("name", CREDENTIALS)
def test_any_credential_ends_open_mode(name: str) -> None:
    value = {"ci": "hash"} if name == "api_keys" else "x" * 32
    assert not Settings(auth=AuthSettings(**{name: value})).open


def test_secrets_are_known_and_not_shown() -> None:
    settings = Settings(auth=AuthSettings(jwt_secret="j" * 32, api_keys={"ci": "k" * 32}))
    assert settings.secrets() == ("j" * 32, "k" * 32)
    assert "jjjj" not in repr(settings)
    assert "kkkk" not in repr(settings)
    assert Settings().secrets() == ()


def test_binds_of_the_default_and_of_a_host() -> None:
    assert Settings().binds(ipv6=True) == ("127.0.0.1:8080", "[::1]:8080")
    assert Settings().binds(ipv6=False) == ("127.0.0.1:8080",)
    assert Settings().binds()[0] == "127.0.0.1:8080"
    settings = Settings(server=ServerSettings(host="0.0.0.0", http_port=1))
    assert settings.binds() == ("0.0.0.0:1",)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///incidents.db", "incidents.db"),
        ("sqlite:////var/lib/incidents.db", "/var/lib/incidents.db"),
    ],
)
def test_the_path_of_the_state(url: str, path: str) -> None:
    assert str(StateSettings(url=url).path) == path


def test_memory_has_no_path() -> None:
    assert StateSettings(url="memory:").path is None


def test_settings_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().server.http_port = 1  # type: ignore[misc]
