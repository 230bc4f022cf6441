import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio

from incident_manager import __version__
from incident_manager.http.auth import Authenticator, Credentials, Role
from incident_manager.http.cli import banner, claim_addresses, main, run_server
from incident_manager.http.config import SettingsError
from incident_manager.http.sections import AuthSettings, ServerSettings, StateSettings
from incident_manager.http.settings import SECTIONS, SETTINGS, Settings

SECRET = "0123456789abcdef0123456789abcdef"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in an empty folder and environment; its code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("LIM_CONFIG", *(setting.variable for setting in SETTINGS)):
        monkeypatch.delenv(name, raising=False)

    def run(*args: str, **environ: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            main(args)
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, captured.out, captured.err

    return run


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"incident-manager, version {__version__}\n", "")


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(run: Run, args: list[str]) -> None:
    code, out, err = run(*args)
    assert (code, err) == (0, "")
    for command in ("serve", "token", "schema", "openapi"):
        assert re.search(rf"^  {command}  +\S", out, re.MULTILINE)


def test_help_of_serve_shows_every_setting_in_its_section(run: Run) -> None:
    code, out, _ = run("serve", "--help")
    assert code == 0
    blocks = dict(re.findall(r"^(\w+)\.\*:\n((?:  .*\n?|\n(?=  ))+)", out, re.MULTILINE))
    assert list(blocks) == list(SECTIONS)
    for setting in SETTINGS:
        assert setting.flag in blocks[setting.section]
    words = " ".join(out.split())
    assert "--server-http-port, --port N TCP port for everything." in words
    assert "[8080]" in words
    assert "--config FILE" in out.split("server.*:")[0]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (
            ["serve", "--port", "x"],
            "server.http_port: 'x' is not a whole number (from --server-http-port)",
        ),
        (
            ["serve", "--bus-url", "redis://127.0.0.1"],
            "bus.url is not available in this version (from --bus-url)",
        ),
        (["serve", "--host", "0.0.0.0"], "server.host: without credentials only loopback"),
        (["serve", "--config", "no.toml"], "cannot read 'no.toml': No such file or directory"),
        (["serve", "--bogus"], "No such option"),
        (["serve", "extra"], "Got unexpected extra argument (extra)"),
        (["bogus"], "No such command 'bogus'"),
        (["token"], "Missing option '--role'"),
        (["token", "--role", "root"], "Invalid value for '--role'"),
        (["token", "--role", "ADMIN"], "auth.jwt_secret is not set: give LIM_AUTH_JWT_SECRET"),
        (["token", "--role", "ADMIN", "--ttl", "1w"], "--ttl: '1w' is not a duration"),
        (["token", "--role", "ADMIN", "--ttl", "0"], "--ttl: '0' is not longer than nothing"),
        (["token", "--role", "ADMIN", "--subject", ""], "--subject is not a name"),
        (["token", "--role", "ADMIN", "--subject", "a\nb"], "--subject is not a name"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(run: Run, args: list[str], line: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert err.startswith(f"incident-manager: {line}")
    assert err.count("\n") == 1


def test_a_mistake_in_the_environment(run: Run) -> None:
    code, _, err = run("serve", LIM_SERVER_HTTP_PORT="x")
    assert code == 2
    assert err == (
        "incident-manager: server.http_port: 'x' is not a whole number"
        " (from LIM_SERVER_HTTP_PORT)\n"
    )


def test_a_mistake_in_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lim.toml").write_text("[server]\nport = 1\n")
    code, _, err = run("serve", "--config", "lim.toml")
    assert code == 2
    assert "unknown setting 'server.port'" in err
    assert err.endswith("(in lim.toml)\n")


def test_insecure_has_an_alias_and_a_no(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        # Past the rule on open servers, on to the port that is in use.
        insecure = run("serve", "--host", "0.0.0.0", "--insecure", "--port", port)
    assert insecure[0] == 2
    assert "in use" in insecure[2]
    code, _, err = run(
        "serve", "--host", "0.0.0.0", "--no-server-insecure", LIM_SERVER_INSECURE="1"
    )
    assert code == 2
    assert "only loopback" in err


def test_a_port_in_use_names_the_address_and_the_setting(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("serve", "--port", str(port))
    assert (code, out) == (2, "")
    assert err == (
        f"incident-manager: cannot listen on 127.0.0.1:{port} (server.http_port):"
        " it is in use by another program\n"
    )


def test_an_address_of_another_machine(run: Run) -> None:
    code, _, err = run("serve", "--host", "192.0.2.1", "--insecure", "--port", "0")
    assert code == 2
    assert "192.0.2.1:0 (server.host): it is not an address of this machine" in err


def test_port_0_becomes_a_free_port() -> None:
    settings = Settings(server=ServerSettings(http_port=0))
    claimed = claim_addresses(settings)
    assert claimed.server.http_port > 0
    expected = attrs.evolve(settings.server, http_port=claimed.server.http_port)
    assert claimed == attrs.evolve(settings, server=expected)
    assert claim_addresses(claimed) is claimed


@pytest.mark.parametrize("role", ["RESPONDER", "responder"])
def test_a_token_is_printed_and_good(run: Run, role: str) -> None:
    code, out, err = run(
        "token", "--role", role, "--subject", "ann", "--ttl", "30m", LIM_AUTH_JWT_SECRET=SECRET
    )
    assert (code, err) == (0, "")
    settings = Settings(auth=AuthSettings(jwt_secret=SECRET))
    principal = Authenticator.from_settings(settings).authenticate(
        Credentials(f"Bearer {out.strip()}")
    )
    assert (principal.name, principal.role) == ("ann", Role.RESPONDER)


def test_a_token_is_made_with_the_servers_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lim.toml").write_text(f"[auth]\njwt_secret = '{SECRET}'\n[server]\nhost = '::'\n")
    assert run("token", "--role", "VIEWER", "--config", "lim.toml")[0] == 0
    assert run("token", "--role", "VIEWER", LIM_CONFIG="lim.toml")[0] == 0


def test_the_banner_of_an_open_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(server=ServerSettings(host="127.0.0.1", http_port=1234))
    lines = banner(settings).splitlines()
    assert lines[0] == f"Incident Manager {__version__}"
    assert lines[1] == "  listens  http://127.0.0.1:1234"
    assert lines[2].startswith("  mode     open: ")
    assert lines[3] == f"  data     {tmp_path}/incidents.db (SQLite)"
    command = shlex.split(lines[4].removeprefix("  try      "))
    assert command[:2] == ["curl", "http://127.0.0.1:1234/v1/alerts"]
    alert = json.loads(command[command.index("-d") + 1])
    assert {"source", "title", "description", "severity"} <= set(alert)
    assert "Authorization" not in lines[4]


@pytest.mark.parametrize(
    ("auth", "mode", "header"),
    [
        (AuthSettings(issuer="https://i"), "a token is needed", "Authorization: Bearer $TOKEN"),
        (AuthSettings(api_keys_file="keys"), "an API key is needed", "X-API-Key: $KEY"),
    ],
)
def test_the_banner_of_a_server_that_makes_no_tokens(
    auth: AuthSettings, mode: str, header: str
) -> None:
    text = banner(Settings(auth=auth))
    assert f"mode     authenticated: {mode}" in text
    assert header in text
    assert "incident-manager token" not in text


def test_the_banner_of_an_authenticated_server() -> None:
    settings = Settings(
        server=ServerSettings(host="0.0.0.0", tls_cert="a", tls_key="b"),
        auth=AuthSettings(jwt_secret=SECRET),
        state=StateSettings(url="memory:"),
    )
    text = banner(settings)
    assert "https://0.0.0.0:8080" in text
    assert "mode     authenticated" in text
    assert "memory only" in text
    assert "TOKEN=$(incident-manager token --role RESPONDER)" in text
    assert 'curl https://127.0.0.1:8080/v1/alerts -H "Authorization: Bearer $TOKEN"' in text
    assert SECRET not in text


def test_the_banner_of_an_insecure_server() -> None:
    text = banner(Settings(server=ServerSettings(host="::", insecure=True)))
    assert "everyone who reaches :: is ADMIN" in text
    assert "curl http://[::1]:8080/" in text


def test_the_banner_of_a_server_on_a_unix_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    server = ServerSettings(host="0.0.0.0", unix_socket="a b.sock", tls_cert="a", tls_key="b")
    lines = banner(Settings(server=server)).splitlines()
    assert lines[1] == f"  listens  unix:{tmp_path}/a b.sock (https)"
    assert lines[2].endswith(
        "open: no credentials are set, everyone who may open the socket is ADMIN"
    )
    command = shlex.split(lines[4].removeprefix("  try      "))
    assert command[1:4] == [
        "--unix-socket", f"{tmp_path}/a b.sock", "https://localhost/v1/alerts",
    ]  # fmt: skip


def test_a_unix_socket_is_no_address_to_claim() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = ServerSettings(host="127.0.0.1", http_port=port, unix_socket="x")
        settings = Settings(server=server)
        assert claim_addresses(settings) is settings


def test_the_schema_is_printed(run: Run) -> None:
    code, out, err = run("schema")
    assert (code, err) == (0, "")
    assert "type Subscription {" in out


def test_the_description_of_rest_is_printed(run: Run) -> None:
    code, out, err = run("openapi")
    assert (code, err) == (0, "")
    assert json.loads(out)["paths"]["/v1/incidents"]


def test_the_exit_code_is_the_servers() -> None:
    async def server(settings: Settings) -> int:
        await trio.lowlevel.checkpoint()
        return settings.server.http_port

    assert run_server(server, Settings(server=ServerSettings(http_port=3))) == 3


@pytest.mark.parametrize("others", [[], [SettingsError("later")]])
def test_a_mistake_found_inside_of_nurseries_comes_out(others: list[Exception]) -> None:
    async def server(_settings: Settings) -> int:
        raise ExceptionGroup("", [ExceptionGroup("", [SettingsError("state.url: no")]), *others])

    with pytest.raises(SettingsError, match="no"):
        run_server(server, Settings())


@pytest.mark.parametrize(
    "error", [OSError("x"), ExceptionGroup("", [SettingsError("a"), OSError()])]
)
def test_a_failure_that_is_no_mistake_stays_what_it_is(error: Exception) -> None:
    async def server(_settings: Settings) -> int:
        raise error

    with pytest.raises(type(error)) as caught:
        run_server(server, Settings())
    assert caught.value is error


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "incident_manager", "serve", "--port", "x"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("incident-manager: server.http_port: 'x'")
    assert "Traceback" not in done.stderr
