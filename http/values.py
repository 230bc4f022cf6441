"""Values of settings: from text, or from what TOML holds, to what the table says.

Pure functions. Each raises BadValue, whose text goes on after the value: "is not a whole number".
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from incident_manager.actors.roles import Role
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.address import check_host
from incident_manager.http.api_keys import read_entries
from incident_manager.http.cors import read_origin
from incident_manager.http.proxies import Trust
from incident_manager.http.settings import Setting

__all__ = ["MIN_SECRET_BYTES", "BadValue", "parse", "parse_duration"]

#: RFC 7518 section 3.2: a key of HS256 is at least as long as its hash.
MIN_SECRET_BYTES: Final = 32

_UNITS: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_ORIGINS: Final = ("server.allowed_origins", "server.cors_origins")
_INTEGER: Final = re.compile(r"[+-]?[0-9](_?[0-9]){0,17}")
_DECIMAL: Final = re.compile(r"([+-]?[0-9]{1,15}(?:\.[0-9]{0,15})?)\s*(ms|s|m|h|d|)")


class BadValue(ValueError):
    """A value cannot be used. The text says what it is not, and does not repeat it."""


def parse_duration(text: str) -> float:
    """Seconds in ``text``: a number, alone or with ``ms``, ``s``, ``m``, ``h`` or ``d`` behind it.

    Raises:
        BadValue: it is something else.
    """
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        raise BadValue("is not a duration (a number of seconds, or 500ms, 30s, 15m, 1h, 7d)")
    return float(match[1]) * _UNITS[match[2]]


def parse(setting: Setting, raw: object) -> Any:
    """The value of ``raw``, which is text from outside, a bool of a flag, or a value of TOML.

    Raises:
        BadValue: it is not of the setting's type, out of its range, or none of its choices.
    """
    about = setting.about
    if setting.type is bool:
        return _boolean(raw)
    if setting.type is int:
        return _in_range(setting, _integer(raw))
    if setting.type is float:
        return _in_range(setting, _number(raw, duration=bool(about.unit)))
    if setting.type is tuple:
        strings = _strings(raw)
        if setting.key == "server.trusted_proxies":
            _check_proxies(strings)
        return _origins(strings) if setting.key in _ORIGINS else strings
    if setting.type is not str:
        pairs = _map(raw)
        return _MAPS[setting.key](pairs) if setting.key in _MAPS else pairs
    if not isinstance(raw, str):
        raise BadValue("is not a string")
    if not raw.strip() or not raw.isprintable():
        raise BadValue("is empty or holds control characters")
    if about.choices:
        for choice in about.choices:
            if choice.lower() == raw.strip().lower():
                return choice
        raise BadValue(f"is not one of {', '.join(about.choices)}")
    return _SPECIAL.get(setting.key, str)(raw)


def _boolean(raw: object) -> bool:
    if isinstance(raw, str):
        raw = _WORDS.get(raw.strip().lower())
    if not isinstance(raw, bool):
        raise BadValue("is neither true nor false")
    return raw


def _integer(raw: object) -> int:
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        raw = int(raw)
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise BadValue("is not a whole number")
    return raw


def _number(raw: object, *, duration: bool) -> float:
    if isinstance(raw, str) and duration:
        return parse_duration(raw)
    if isinstance(raw, str) and (match := _DECIMAL.fullmatch(raw.strip())) and not match[2]:
        return float(match[1])
    if not isinstance(raw, int | float) or isinstance(raw, bool) or raw - raw != 0:
        raise BadValue("is not a number")
    return float(raw)


def _in_range(setting: Setting, number: Any) -> Any:
    least = setting.about.least
    most = setting.about.most if setting.about.most is not None else 2.0**53
    if least is not None and number < least:
        raise BadValue(f"is less than {least:g}{setting.about.unit}")
    if number > most:
        raise BadValue(f"is more than {most:g}{setting.about.unit}")
    return number


def _strings(raw: object) -> tuple[str, ...]:
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",")] if raw.strip() else []
    if not isinstance(raw, list) or not all(isinstance(part, str) and part for part in raw):
        raise BadValue("is not a list of strings (a,b in text, an array in TOML)")
    return tuple(raw)


def _check_proxies(strings: tuple[str, ...]) -> None:
    try:
        Trust.parse(strings)
    except ValueError as error:
        raise BadValue(str(error)) from error


def _origins(strings: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(read_origin(text) for text in strings)
    except ValueError as error:
        raise BadValue(str(error)) from error


def _map(raw: object) -> Mapping[str, str]:
    if isinstance(raw, str):
        pairs = [part.partition("=") for part in raw.split(",")] if raw.strip() else []
        raw = {key.strip(): value.strip() for key, _, value in pairs}
        if len(raw) != len(pairs):
            raise BadValue("names a key twice")
    if not isinstance(raw, dict) or not all(
        isinstance(value, str) and key and value for key, value in raw.items()
    ):
        raise BadValue("is not a map of strings (a=b,c=d in text, a table in TOML)")
    return MappingProxyType(raw)


def _severities(raw: Mapping[str, str]) -> Mapping[str, str]:
    found = {word.strip().lower(): severity.strip().upper() for word, severity in raw.items()}
    if len(found) != len(raw):
        raise BadValue("names a word twice (its case does not matter)")
    for word, severity in found.items():
        if severity not in Severity.__members__:
            names = ", ".join(Severity.__members__)
            raise BadValue(f"gives {word[:40]!r} the severity {severity[:40]!r}, none of {names}")
    return MappingProxyType(found)


def _scopes(raw: Mapping[str, str]) -> Mapping[str, str]:
    found = {scope: role.strip().upper() for scope, role in raw.items()}
    for scope, role in found.items():
        if role not in Role.__members__:
            names = ", ".join(Role.__members__)
            raise BadValue(f"gives {scope[:40]!r} the role {role[:40]!r}, none of {names}")
    return MappingProxyType(found)


def _api_keys(raw: Mapping[str, str]) -> Mapping[str, str]:
    try:
        read_entries(raw)
    except ValueError as error:
        raise BadValue(str(error)) from error
    return raw


def _host(raw: str) -> str:
    try:
        return check_host(raw.strip())
    except ValueError as error:
        raise BadValue("is not an address or a host name (the port is server.http_port)") from error


def _state_url(raw: str) -> str:
    if raw.startswith(("postgresql:", "postgres:")):
        raise BadValue("needs PostgreSQL, which is not available in this version")
    path = raw.removeprefix("sqlite:///")
    if raw != "memory:" and (path in (raw, "", ":memory:") or "?" in path):
        raise BadValue("is neither sqlite:///path/to/file.db nor memory:")
    return raw


def _secret(raw: str) -> str:
    size = len(raw.encode())
    if size < MIN_SECRET_BYTES:
        raise BadValue(
            f"is {size} bytes long; HS256 needs at least {MIN_SECRET_BYTES} (RFC 7518 section 3.2)"
        )
    return raw


_SPECIAL: Final[Mapping[str, Callable[[str], str]]] = {
    "server.host": _host,
    "state.url": _state_url,
    "auth.jwt_secret": _secret,
}
_MAPS: Final[Mapping[str, Callable[[Mapping[str, str]], Mapping[str, str]]]] = {
    "processing.severity_map": _severities,
    "auth.scope_roles": _scopes,
    "auth.api_keys": _api_keys,
}
