"""All settings as one value, and the table of them.

``SETTINGS`` has a row for every field of the sections; nothing else lists the settings.
"""

import typing
from collections.abc import Mapping
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Final

import attrs
from attrs import field, frozen

from incident_manager.http.address import binds, has_ipv6_loopback
from incident_manager.http.sections import (
    About,
    AuthSettings,
    BusSettings,
    GraphqlSettings,
    LimitSettings,
    ObservabilitySettings,
    ProcessingSettings,
    ServerSettings,
    StateSettings,
)

__all__ = ["CREDENTIALS", "SECTIONS", "SETTINGS", "Setting", "Settings"]


@frozen(kw_only=True)
class Settings:
    """All settings; ``Settings()`` holds the defaults. Made from outside by ``load_settings``."""

    server: ServerSettings = field(factory=ServerSettings)
    auth: AuthSettings = field(factory=AuthSettings)
    limits: LimitSettings = field(factory=LimitSettings)
    graphql: GraphqlSettings = field(factory=GraphqlSettings)
    state: StateSettings = field(factory=StateSettings)
    bus: BusSettings = field(factory=BusSettings)
    processing: ProcessingSettings = field(factory=ProcessingSettings)
    observability: ObservabilitySettings = field(factory=ObservabilitySettings)

    def binds(self, *, ipv6: bool | None = None) -> tuple[str, ...]:
        """What Hypercorn shall bind: ``("127.0.0.1:8080", "[::1]:8080")`` by default, and
        ``("unix:path",)`` where ``server.unix_socket`` is set.

        ``ipv6`` says whether the machine has ``::1``; None finds out.
        """
        if self.server.unix_socket is not None:
            return (f"unix:{self.server.unix_socket}",)
        if ipv6 is None:
            ipv6 = has_ipv6_loopback()
        return binds(self.server.host, self.server.http_port, ipv6=ipv6)

    @property
    def open(self) -> bool:
        """True where no credentials are configured: everyone is ADMIN (contract section 8)."""
        return not any(getattr(self.auth, name) for name in CREDENTIALS)

    def secrets(self) -> tuple[str, ...]:
        """The secret values that are set, for logs to leave out."""
        found: list[str] = []
        for setting in SETTINGS:
            if setting.about.secret and (value := setting.of(self)):
                found.extend([value] if isinstance(value, str) else value.values())
        return tuple(found)


@frozen
class Setting:
    """One row of the table.

    ``type`` is one of bool, int, float, str, ``tuple`` (of strings) and ``Mapping`` (of string
    to string); ``optional`` says that unset (None) is a value too.
    """

    section: str
    name: str
    type: type[Any]
    optional: bool
    default: Any
    about: About

    @property
    def key(self) -> str:
        """``server.http_port``, as in TOML and in messages."""
        return f"{self.section}.{self.name}"

    @property
    def flag(self) -> str:
        """``--server-http-port``."""
        return f"--{self.section}-{self.name}".replace("_", "-")

    @property
    def variable(self) -> str:
        """``LIM_SERVER_HTTP_PORT``."""
        return f"LIM_{self.section}_{self.name}".upper()

    def of(self, settings: Settings) -> Any:
        """This setting's value in ``settings``."""
        return getattr(getattr(settings, self.section), self.name)


def _rows(section: str, cls: type[Any]) -> list[Setting]:
    hints = typing.get_type_hints(cls, include_extras=True)
    defaults = cls()
    rows: list[Setting] = []
    for attribute in attrs.fields(cls):
        kind, about = typing.get_args(hints[attribute.name])
        options = typing.get_args(kind) if isinstance(kind, UnionType) else (kind,)
        base = typing.get_origin(options[0]) or options[0]
        rows.append(
            Setting(
                section,
                attribute.name,
                base,
                NoneType in options,
                getattr(defaults, attribute.name),
                about,
            )
        )
    return rows


#: Section name to its class, in the order of the contract.
SECTIONS: Final[Mapping[str, type[Any]]] = MappingProxyType(typing.get_type_hints(Settings))

#: Every setting, in the order of the contract.
SETTINGS: Final[tuple[Setting, ...]] = tuple(
    row for section, cls in SECTIONS.items() for row in _rows(section, cls)
)

#: The settings of ``auth`` of which any one ends open mode.
CREDENTIALS: Final = (
    "jwt_secret",
    "jwt_public_key",
    "jwks_url",
    "issuer",
    "api_keys",
    "api_keys_file",
)
