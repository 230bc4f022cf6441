"""``incident-manager api-key``: make, revoke and list API keys."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from incident_manager.actors.roles import Role
from incident_manager.http.api_key_file import read_keys, rewriting
from incident_manager.http.api_keys import ApiKey, new_key, read_entries
from incident_manager.http.config import SettingsError, parse_duration, process_settings
from incident_manager.http.principal import LAST_INSTANT, can_confine
from incident_manager.http.settings import Settings

__all__ = ["api_key"]

_config: Final[Callable[[Any], Any]] = click.option(
    "--config",
    metavar="FILE",
    help="TOML file of settings: a table for each section.  [LIM_CONFIG]",
)


@click.group("api-key", short_help="Make, revoke and list API keys.")
def api_key() -> None:
    """Make, revoke and list API keys, in the file that auth.api_keys_file names.

    Servers follow that file: a key is good, or revoked, within a second or two.
    """


@api_key.command("create", short_help="Make a key and print it, this once.")
@_config
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.name for role in Role], case_sensitive=False),
    help="VIEWER reads and subscribes, RESPONDER also changes and sends alerts in, ADMIN does all.",
)
@click.option(
    "--expires",
    metavar="TIME",
    help="When it ends: 90d from now, or 2027-01-31, or 2027-01-31T12:00:00Z. Unset: never.",
)
@click.option(
    "--selector",
    "selectors",
    metavar="LABEL=VALUE",
    multiple=True,
    help="Confine it to what bears this label; can be given again.",
)
def create(
    config: str | None, name: str, role: str, expires: str | None, selectors: Sequence[str]
) -> None:
    """Make a key and print it, this once: only its hash is kept.

    Without auth.api_keys_file nothing is written; the line for auth.api_keys is shown instead.
    """
    settings = process_settings({"config": config}, serving=False)
    try:
        text, key = new_key(
            name,
            Role[role.upper()],
            expires_at=None if expires is None else _moment(expires),
            selectors=_pairs(selectors),
        )
    except ValueError as error:
        raise SettingsError(f"NAME: {name!r} {error}") from error
    if name in settings.auth.api_keys:
        raise SettingsError(f"NAME: auth.api_keys has {name!r} already")
    path = settings.auth.api_keys_file
    if path is None:
        click.echo(f'[auth.api_keys]\n{name} = "{key.entry()}"', err=True)
    else:
        with _changing(path) as keys:
            if name in keys:
                raise SettingsError(f"NAME: {path} has {name!r} already; revoke it first")
            keys[name] = key
        click.echo(f"{name} is in {path}; its key is not kept anywhere:", err=True)
    click.echo(text)


@api_key.command("revoke", short_help="End a key.")
@_config
@click.argument("name")
def revoke(config: str | None, name: str) -> None:
    """End a key. Its connections are closed (4403) as soon as servers see it."""
    settings = process_settings({"config": config}, serving=False)
    if name in settings.auth.api_keys:
        raise SettingsError(
            f"NAME: {name!r} is in auth.api_keys: take it out of there, and restart the server"
        )
    path = settings.auth.api_keys_file
    if path is None:
        raise SettingsError(f"NAME: there is no key {name!r}: auth.api_keys_file is not set")
    with _changing(path) as keys:
        if keys.pop(name, None) is None:
            raise SettingsError(f"NAME: {path} has no key {name!r}")
    click.echo(f"{name} is revoked", err=True)


@api_key.command("list", short_help="List the keys.")
@_config
def listing(config: str | None) -> None:
    """List the keys: name, role, expiry, and the labels that it is confined to."""
    for key in _all(process_settings({"config": config}, serving=False)).values():
        until = "never expires"
        if key.expires_at is not None:
            moment = datetime.fromtimestamp(key.expires_at, UTC)
            word = "expired" if key.expires_at <= time.time() else "expires"
            until = f"{word} {moment:%Y-%m-%dT%H:%M:%SZ}"
        labels = [f"{label}={value}" for label, value in key.selectors.items()]
        click.echo("  ".join([key.name, key.role.name, until, *labels]))


def _all(settings: Settings) -> Mapping[str, ApiKey]:
    auth = settings.auth
    path = auth.api_keys_file
    try:
        return {
            **read_entries(auth.api_keys),
            **({} if path is None else read_keys(Path(path))),
        }
    except ValueError as error:
        raise SettingsError(f"auth.api_keys_file {error}") from error


@contextmanager
def _changing(path: str) -> Generator[dict[str, ApiKey], None, None]:
    try:
        with rewriting(Path(path)) as keys:
            yield keys
    except OSError as error:
        raise SettingsError(
            f"auth.api_keys_file: cannot write {path!r}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise SettingsError(f"auth.api_keys_file: {path!r} {error}") from error


def _moment(text: str) -> float:
    """Seconds of the Unix epoch: a duration from now, or a date or time (UTC if it does not say).

    Raises:
        SettingsError: it is neither, or not in the future.
    """
    try:
        moment = time.time() + parse_duration(text)
    except ValueError:
        try:
            found = datetime.fromisoformat(text)
        except ValueError as error:
            raise SettingsError(f"--expires: {text!r} is neither a duration nor a date") from error
        moment = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    if not time.time() < moment <= LAST_INSTANT:
        raise SettingsError(f"--expires: {text!r} is not in the future, or after the year 9999")
    return moment


def _pairs(given: Sequence[str]) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        label, sign, value = text.partition("=")
        if not sign or not label or label in pairs:
            raise SettingsError(f"--selector: {text!r} is not LABEL=VALUE, or is given twice")
        pairs[label] = value
    if not can_confine(pairs):
        raise SettingsError("--selector: nothing can bear these labels: too long, or too many")
    return pairs
