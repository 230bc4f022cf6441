"""Settings from outside: flags over ``LIM_*`` variables over a TOML file over the defaults.

Whatever is wrong stops the start with one line that names the setting and where it came from.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from incident_manager.http.address import is_loopback
from incident_manager.http.settings import SECTIONS, SETTINGS, Setting, Settings
from incident_manager.http.trust import token_trust
from incident_manager.http.values import BadValue, parse, parse_duration

__all__ = [
    "Settings",
    "SettingsError",
    "load_settings",
    "parse_duration",
    "process_settings",
    "settings_reference",
]

_BY_KEY: Final = {setting.key: setting for setting in SETTINGS}
_BY_VARIABLE: Final = {setting.variable: setting for setting in SETTINGS}
_NO_SETTINGS: Final = frozenset({"LIM_CONFIG", "LIM_TOKEN"})
"""Variables of commands: where the file is, and the token that ``watch`` shows the server."""


class SettingsError(Exception):
    """A setting is wrong. The message is one line that names it and where it came from."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def load_settings(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    read_file: Callable[[str], bytes],
    *,
    serving: bool = True,
) -> Settings:
    """Put the settings together from their sources.

    ``flags`` maps a key of the table (``server.http_port``, or ``config`` for the file) to its
    text, or to a bool; None stands for "not given". ``read_file`` gives a file's bytes or raises
    OSError. With ``serving`` False the rule that keeps an open server on loopback is left out,
    for commands that do not listen.

    Raises:
        SettingsError: an unknown name, a value that does not parse or is out of range, a setting
            that this version does not have, a file that cannot be read, or settings that do not
            go together.
    """
    values = {setting.key: setting.default for setting in SETTINGS}
    origins: dict[str, str] = {}
    for setting, raw, origin in (
        *_from_file(flags, environ, read_file),
        *_from_environ(environ),
        *_from_flags(flags),
    ):
        values[setting.key] = _checked(setting, raw, origin)
        origins[setting.key] = origin
    settings = Settings(
        **{
            section: cls(
                **{row.name: values[row.key] for row in SETTINGS if row.section == section}
            )
            for section, cls in SECTIONS.items()
        }
    )
    _check_together(settings, origins, serving=serving)
    return settings


def process_settings(
    flags: Mapping[str, object] | None = None, *, serving: bool = True
) -> Settings:
    """``load_settings`` with this process's environment and files."""
    return load_settings(
        flags or {}, os.environ, lambda path: Path(path).read_bytes(), serving=serving
    )


def settings_reference() -> str:
    """The table of all settings in Markdown, one section after the other."""
    lines: list[str] = []
    for section, cls in SECTIONS.items():
        lines += [f"### `{section}.`", "", f"{(cls.__doc__ or '').strip()}", ""]
        lines += ["| Setting | Default | Flag, variable | Meaning |", "|---|---|---|---|"]
        for setting in SETTINGS:
            if setting.section == section:
                names = (setting.flag, setting.about.alias, setting.variable)
                cells = (
                    f"`{setting.key}`",
                    _shown(setting),
                    ", ".join(f"`{name}`" for name in names if name),
                    describe(setting).replace("|", "\\|"),
                )
                lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def describe(setting: Setting) -> str:
    """The help line of a setting, with its choices, and whether this version has it."""
    about = setting.about
    text = about.help
    if about.choices:
        text += f" One of {', '.join(about.choices)}."
    if about.pending:
        text += " Not available in this version."
    return text


def default_text(setting: Setting) -> str:
    """The default as one would write it in the environment; empty for unset."""
    match setting.default:
        case None:
            return ""
        case bool():
            return str(setting.default).lower()
        case float():
            return f"{setting.default:g}{setting.about.unit}"
        case tuple() | Mapping():
            return ""
        case _:
            return str(setting.default)


def _shown(setting: Setting) -> str:
    text = default_text(setting)
    return f"`{text}`" if text else "unset" if setting.optional else "none"


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[Setting, object, str]]:
    for key, raw in flags.items():
        if raw is None or key == "config":
            continue
        if key not in _BY_KEY:
            raise SettingsError(f"unknown setting {key!r}{_near(key, _BY_KEY)} (from a flag)")
        yield _BY_KEY[key], raw, _BY_KEY[key].flag


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[Setting, object, str]]:
    for name, raw in sorted(environ.items()):
        if not name.startswith("LIM_") or name in _NO_SETTINGS:
            continue
        if name not in _BY_VARIABLE:
            raise SettingsError(
                f"unknown setting {name}{_near(name, _BY_VARIABLE)} (from the environment)"
            )
        yield _BY_VARIABLE[name], raw, name


def _from_file(
    flags: Mapping[str, object], environ: Mapping[str, str], read_file: Callable[[str], bytes]
) -> Iterator[tuple[Setting, object, str]]:
    given, origin = flags.get("config"), "--config"
    if given is None:
        given, origin = environ.get("LIM_CONFIG"), "LIM_CONFIG"
    if given is None:
        return
    path = str(given)
    try:
        content = tomllib.loads(read_file(path).decode())
    except OSError as error:
        raise SettingsError(f"cannot read {path!r}: {error.strerror} (from {origin})") from error
    except ValueError as error:  # not UTF-8, or not TOML: the text says where
        raise SettingsError(f"{path!r} is not TOML: {error} (from {origin})") from error
    for section, table in content.items():
        if section not in SECTIONS:
            raise SettingsError(
                f"unknown section {section!r}{_near(section, SECTIONS)} (in {path})"
            )
        if not isinstance(table, dict):
            raise SettingsError(f"{section} must be a table of settings (in {path})")
        for name, raw in table.items():
            key = f"{section}.{name}"
            if key not in _BY_KEY:
                raise SettingsError(f"unknown setting {key!r}{_near(key, _BY_KEY)} (in {path})")
            yield _BY_KEY[key], raw, path


def _near(name: str, known: Mapping[str, object]) -> str:
    found = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {found[0]}?" if found else ""


def _checked(setting: Setting, raw: object, origin: str) -> Any:
    try:
        value = parse(setting, raw)
    except BadValue as error:
        shown = "the value" if setting.about.secret else _short(raw)
        raise SettingsError(f"{setting.key}: {shown} {error} (from {origin})") from error
    if setting.about.pending and value != setting.default:
        raise SettingsError(f"{setting.key} is not available in this version (from {origin})")
    return value


def _short(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 80 else text[:77] + "..."


def _check_together(settings: Settings, origins: Mapping[str, str], *, serving: bool) -> None:
    server = settings.server
    for one, other in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        if getattr(server, one) is not None and getattr(server, other) is None:
            raise SettingsError(
                f"server.{one} needs server.{other} too (from {origins[f'server.{one}']})"
            )
    try:
        token_trust(settings.auth)
    except ValueError as error:
        given = (origins.get(f"auth.{word}") for word in re.findall(r"auth\.(\w+)", str(error)))
        origin = next((origin for origin in given if origin), "the settings")
        raise SettingsError(f"{error} (from {origin})") from error
    if server.drain_window > server.graceful_timeout:
        origin = origins.get("server.drain_window") or origins["server.graceful_timeout"]
        raise SettingsError(
            f"server.drain_window ({server.drain_window:g}s) is longer than"
            f" server.graceful_timeout ({server.graceful_timeout:g}s) (from {origin})"
        )
    if settings.open and not server.insecure and "*" in server.cors_origins:
        raise SettingsError(
            "server.cors_origins: without credentials `*` would make every page ADMIN; name the"
            f" origins, or set auth.jwt_secret (from {origins['server.cors_origins']})"
        )
    if server.unix_socket is not None:
        return  # only this machine reaches it
    if serving and settings.open and not server.insecure and not is_loopback(server.host):
        raise SettingsError(
            f"server.host: without credentials only loopback is served, not {server.host};"
            f" set auth.jwt_secret, or give --insecure (from {origins['server.host']})"
        )
