"""What the documents repeat of the code is what the code says."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from incident_manager import __version__
from incident_manager.actors.errors import ErrorCode
from incident_manager.http.close_codes import CloseCode
from incident_manager.http.operations import _IN_FLIGHT
from incident_manager.http.protocol import TRANSITIONS
from incident_manager.http.settings import SETTINGS as TABLE
from incident_manager.http.web import ROUTES, openapi
from incident_manager.schema.build import schema
from incident_manager.schema.documents import DocumentLimits
from incident_manager.schema.reference import reference
from system.docs.blocks import ROOT, blocks
from system.docs.write_generated import (
    DOCUMENTS,
    SCHEMA,
    SPECIFICATION,
    STREAMS,
    generated,
    specification,
    streams,
)

README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "WEBSOCKET_API_REFERENCE.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level."""
    _, _, rest = text.partition(f"\n## {heading}\n")
    assert rest, heading
    return rest.split("\n## ", 1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table's rows, without its head and the rule below that."""
    found: list[list[str]] = []
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    for table in tables:
        lines = table.splitlines()[2:]
        found += [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return found


def test_the_readme_names_both_commands() -> None:
    shell = [block.text.strip() for block in blocks(ROOT / "README.md") if block.language == "sh"]
    assert "make run" in shell
    assert "make test" in shell


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_generated_is_fresh(path: Path) -> None:
    text = path.read_text()
    assert "<!-- generated: " in text
    assert generated(text) == text, "run python tests/system/docs/write_generated.py"


def test_the_reference_of_the_schema_is_fresh() -> None:
    assert reference() == SCHEMA.read_text(), "run python tests/system/docs/write_generated.py"


def test_the_specification_is_fresh_and_says_what_is_served() -> None:
    text = SPECIFICATION.read_text()
    assert specification() == text, "run python tests/system/docs/write_generated.py"
    assert yaml.safe_load(text) == openapi()


def test_the_description_of_the_streams_is_fresh() -> None:
    assert streams() == STREAMS.read_text(), "run python tests/system/docs/write_generated.py"


def test_close_codes() -> None:
    table = rows(section(REFERENCE, "Close codes"))
    source = "".join(
        path.read_text() for path in (ROOT / "http").glob("*.py") if path.stem != "close_codes"
    )
    sent = {each for each in CloseCode if f"CloseCode.{each.name}" in source}
    sent.add(CloseCode.MESSAGE_TOO_BIG)  # Hypercorn sends that one
    assert {int(row[0]) for row in table} == sent
    for row in table:
        code = CloseCode(int(row[0]))
        assert ("gives up" in row[3]) is code.is_fatal, row
        if code not in (CloseCode.BAD_MESSAGE, CloseCode.SUBSCRIBER_EXISTS):
            assert row[1].startswith(code.reason), row


def test_error_codes() -> None:
    named = {row[0].strip("`") for row in rows(section(REFERENCE, "Error codes"))}
    assert named == set(ErrorCode) - {ErrorCode.RATE_LIMIT_EXCEEDED}  # nothing gives this one


def test_messages_of_the_client() -> None:
    table = rows(section(REFERENCE, "Messages from the client"))
    named = {row[0].strip("`") for row in table}
    for messages in TRANSITIONS.values():
        assert {kind.value for kind in messages} <= named


def test_limits() -> None:
    text = section(REFERENCE, "Limits")
    given = {row[2].strip("`"): row[1] for row in rows(text) if row[2]}
    defaults = {setting.key: setting.default for setting in TABLE if not setting.about.pending}
    shown = {
        "server.max_connections": f"{defaults['server.max_connections']:,}",
        "limits.connections_per_address": str(defaults["limits.connections_per_address"]),
        "limits.messages_per_second": str(defaults["limits.messages_per_second"]),
        "limits.init_timeout": f"{defaults['limits.init_timeout']:g} s",
        "limits.stall_timeout": f"{defaults['limits.stall_timeout']:g} s",
        "limits.subscriptions_per_connection": str(defaults["limits.subscriptions_per_connection"]),
        "limits.message_bytes": f"{defaults['limits.message_bytes'] // 1024} KiB",
        "limits.outbox_bytes": f"{defaults['limits.outbox_bytes'] // 1024**2} MiB",
    }
    assert given == shown
    limits = DocumentLimits()
    kept = f"{limits.bytes // 1024} KiB, {limits.tokens:,} tokens, {limits.aliases} aliases"
    assert kept in text
    assert f"at a time | {_IN_FLIGHT} |" in text


def test_every_type_is_in_the_reference() -> None:
    types = {name for name in schema.type_map if not name.startswith("__")}
    builtin = {"String", "Int", "Float", "Boolean", "ID"}
    shown = set(re.findall(r"^(?:type|input|enum) ([A-Z]\w+)", REFERENCE, re.MULTILINE))
    scalars = {row[0].strip("`") for row in rows(section(REFERENCE, "Scalars"))}
    assert types - builtin == shown | scalars


def test_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = project["dependencies"] + project["optional-dependencies"]["dev"]
    wanted = {re.match(r"[\w-]+", each)[0] for each in needed}  # type: ignore[index]
    assert {row[0].strip("`") for row in rows(section(ARCHITECTURE, "Dependencies"))} == wanted


def test_modules_that_are_named_exist() -> None:
    text = (ARCHITECTURE + REFERENCE).replace("::", "`")
    for named in re.findall(r"`((?:supervision|actors|schema|http)/[\w/.]+\.py)`", text):
        assert (ROOT / named).exists(), named


def test_the_changelog_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert f"## [{__version__}]" in text
    for route in ROUTES:
        if route.path.startswith("/v1/"):
            path = re.sub(r"<\w+>", "{id}", route.path)
            assert f"`{route.method} {path}`" in text, path
