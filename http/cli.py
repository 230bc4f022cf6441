"""The command ``incident-manager``: serve, token, schema, openapi, watch, backup, check, restore,
completion.

A mistake of the user's is one line on standard error and exit code 2, never a traceback.
"""

import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import attrs
import click
import trio
from click.shell_completion import get_completion_class

from incident_manager import __version__
from incident_manager.http import address
from incident_manager.http.api_key_command import api_key
from incident_manager.http.auth import Role, issue_token
from incident_manager.http.backups import backup, check, restore
from incident_manager.http.config import (
    SettingsError,
    default_text,
    describe,
    parse_duration,
    process_settings,
)
from incident_manager.http.logs import configure_logging
from incident_manager.http.settings import SECTIONS, SETTINGS, Setting, Settings
from incident_manager.http.trust import token_trust
from incident_manager.http.watch.command import watch

__all__ = ["banner", "claim_addresses", "cli", "main", "run_server"]


class ServeCommand(click.Command):
    """``serve``: a flag for every setting; its help shows them by section."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_option(setting) for setting in SETTINGS)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the general options, then one block for each section of the settings."""
        records = {
            param.name: record
            for param in self.get_params(ctx)
            if (record := param.get_help_record(ctx)) is not None
        }
        names = {section: f"{section}_" for section in SECTIONS}
        general = [
            record for name, record in records.items() if not name.startswith(tuple(names.values()))
        ]
        with formatter.section("Options"):
            formatter.write_dl(general)
        for section, prefix in names.items():
            with formatter.section(f"{section}.*"):
                formatter.write_dl(
                    [record for name, record in records.items() if name.startswith(prefix)]
                )


def _option(setting: Setting) -> click.Option:
    """The flag of one setting. Its text is parsed where TOML and the environment are, not here."""
    name = f"{setting.section}_{setting.name}"
    text = describe(setting)
    default = default_text(setting)
    if default:
        text += f"  [{default}]"
    flags = [setting.flag, *([setting.about.alias] if setting.about.alias else [])]
    if setting.type is bool:
        # One declaration "on/off" gives both; the alias is for the on of it alone.
        flags[0] = f"{setting.flag}/{setting.flag.replace('--', '--no-', 1)}"
        return click.Option([name, *flags], default=None, help=text)
    metavar = {int: "N", float: "TIME" if setting.about.unit else "N", str: "TEXT"}
    return click.Option(
        [name, *flags],
        default=None,
        metavar=metavar.get(setting.type, "A,B" if setting.type is tuple else "A=B,C=D"),
        help=text,
    )


_config_option: Callable[[Any], Any] = click.option(
    "--config",
    metavar="FILE",
    help="TOML file of settings: a table for each section.  [LIM_CONFIG]",
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="incident-manager")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Alerts come in, become incidents, and everybody sees them the same moment."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.command(cls=ServeCommand, short_help="Run the server.")
@_config_option
def serve(config: str | None, **flags: object) -> int:
    """Run the server until SIGTERM or SIGINT.

    A setting is taken from its flag, else from its variable (LIM_SERVER_HTTP_PORT for
    --server-http-port), else from the TOML file ([server] http_port), else it has the default shown
    in brackets. A TIME is in seconds, or has ms, s, m, h or d behind it.

    Without credentials (auth.*) the server is open: everyone is ADMIN, and it listens on loopback
    only.
    """
    given = {setting.key: flags[f"{setting.section}_{setting.name}"] for setting in SETTINGS}
    settings = claim_addresses(process_settings({"config": config, **given}))
    observability = settings.observability
    configure_logging(
        observability.log_level, json_logs=observability.json_logs, secrets=settings.secrets()
    )
    from incident_manager.http.server import serve as run

    def announce() -> None:
        click.echo(banner(settings))  # it flushes

    return run_server(partial(run, announce=announce, alone=True), settings)


@cli.command(short_help="Print a token.")
@_config_option
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.name for role in Role], case_sensitive=False),
    help="VIEWER reads and subscribes, RESPONDER also changes and sends alerts in, ADMIN does all.",
)
@click.option("--subject", default="operator", show_default=True, help="Name, as in the timeline.")
@click.option("--ttl", default="1h", show_default=True, help="How long it is good: 30m, 1h, 7d.")
def token(config: str | None, role: str, subject: str, ttl: str) -> None:
    """Print a token (HS256) signed with auth.jwt_secret, the one that the server has.

    The secret comes from LIM_AUTH_JWT_SECRET or from the TOML file.
    """
    try:
        seconds = parse_duration(ttl)
    except ValueError as error:
        raise SettingsError(f"--ttl: {ttl!r} {error}") from error
    if seconds <= 0:
        raise SettingsError(f"--ttl: {ttl!r} is not longer than nothing")
    if not subject.strip() or not subject.isprintable() or len(subject) > 255:
        raise SettingsError("--subject is not a name of 1 to 255 printable characters")
    settings = process_settings({"config": config}, serving=False)
    click.echo(issue_token(settings, Role[role.upper()], subject.strip(), seconds))


@cli.command(short_help="Print the GraphQL schema.")
def schema() -> None:
    """Print the GraphQL schema in its definition language (SDL)."""
    from incident_manager.schema.build import sdl

    click.echo(sdl())


@cli.command(short_help="Print the description of the REST interface.")
def openapi() -> None:
    """Print the description of the REST interface: OpenAPI 3.1, in JSON."""
    import json

    from incident_manager.http.web import openapi as description

    click.echo(json.dumps(description(), indent=2, ensure_ascii=False))


@cli.command(short_help="Print what makes a shell complete this command.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the code that makes a shell complete this command: names, options and their values.

    \b
    bash:  eval "$(incident-manager completion bash)"                  in ~/.bashrc
    zsh:   eval "$(incident-manager completion zsh)"                   in ~/.zshrc
    fish:  incident-manager completion fish | source                   in config.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 -- click has all three
    click.echo(found(cli, {}, "incident-manager", "_INCIDENT_MANAGER_COMPLETE").source())


for _command in (watch, api_key, backup, check, restore):
    cli.add_command(_command)


def run_server(run: Callable[[Settings], Awaitable[int]], settings: Settings) -> int:
    """Run the server to its end and return its exit code.

    Raises:
        SettingsError: ``run`` raised one, be it from inside of nurseries; anything else that it
            raises comes out as it is.
    """
    try:
        return trio.run(run, settings)
    except BaseExceptionGroup as group:
        mistakes, rest = group.split(SettingsError)
        if mistakes is None or rest is not None:
            raise
        raise _first(mistakes) from group


def claim_addresses(settings: Settings) -> Settings:
    """Make sure that every address can be had; with port 0, settle for one that is free.

    Raises:
        SettingsError: one cannot.
    """
    if settings.server.unix_socket is not None:
        return settings  # it is taken where it is opened
    for bind in settings.binds():
        host, _, port = bind.rpartition(":")
        try:
            found = address.probe(host.strip("[]"), int(port))
        except OSError as error:
            name = "server.http_port" if int(port) else "server.host"
            raise SettingsError(
                f"cannot listen on {bind} ({name}): {address.why(error)}"
            ) from error
        if int(port) == 0:
            settings = attrs.evolve(settings, server=attrs.evolve(settings.server, http_port=found))
    return settings


def _first(group: BaseExceptionGroup[SettingsError]) -> SettingsError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def banner(settings: Settings) -> str:
    """The first lines on the screen: where, in which mode, where the data lies, what to try."""
    server = settings.server
    scheme = "http" if server.tls_cert is None else "https"
    if server.unix_socket is None:
        places = ", ".join(f"{scheme}://{bind}" for bind in settings.binds())
        way = address.url(scheme, server.host, server.http_port)
        who = "everyone on this machine"
    else:
        socket = str(Path.cwd() / server.unix_socket)
        places = f"unix:{socket} ({scheme})"
        way = f"--unix-socket {shlex.quote(socket)} {scheme}://localhost"
        who = "everyone who may open the socket"
    if not settings.open:
        takes = "an API key" if token_trust(settings.auth) is None else "a token"
        mode = f"authenticated: {takes} is needed"
    elif server.insecure and server.unix_socket is None and not address.is_loopback(server.host):
        mode = f"open and insecure: everyone who reaches {server.host} is ADMIN"
    else:
        mode = f"open: no credentials are set, {who} is ADMIN"
    path = settings.state.path
    data = "memory only, lost at the end" if path is None else f"{Path.cwd() / path} (SQLite)"
    alert = '{"source":"me","title":"Checkout is slow","description":"p99 is 4 s","severity":"P1"}'
    bearer = ' -H "Authorization: Bearer $TOKEN"'
    if settings.open:
        bearer = ""
    elif token_trust(settings.auth) is None:
        bearer = ' -H "X-API-Key: $KEY"'
    lines = [
        f"Incident Manager {__version__}",
        f"  listens  {places}",
        f"  mode     {mode}",
        f"  data     {data}",
    ]
    if settings.auth.jwt_secret is not None:
        lines.append("  token    TOKEN=$(incident-manager token --role RESPONDER)")
    lines.append(
        f"  try      curl {way}/v1/alerts{bearer} -H 'Content-Type: application/json' -d '{alert}'"
    )
    return "\n".join(lines)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command; always ends by SystemExit: 0, what ``serve`` returns, or 2 for a mistake."""
    try:
        result = cli.main(
            None if args is None else list(args), "incident-manager", standalone_mode=False
        )
    except SettingsError as error:
        _fail(str(error), 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"incident-manager: {' '.join(message.split())}", err=True)
    sys.exit(code)
