"""The playground's files: a page without data, and parts that are built and may be missing."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, parse, validate

from incident_manager.http.playground import page
from incident_manager.schema.build import schema
from unit.http.served import recovering

HERE = Path(page.__file__).parent
SHELL = HERE / "playground.html"
OPERATIONS = sorted((HERE / "web" / "operations").glob("*.graphql"))
FIELDS = {"criticalIncidents", "incidentUpdates", "newIncidents", "incidentStateChanges", "alerts"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of parts, with some in it."""
    for name in ("main.js", "main.css", "chunk-AB12.js", "font-ab12.woff2", "licenses.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "notes.md").write_text("not a part")
    monkeypatch.setattr(page, "_ASSETS", tmp_path)
    return tmp_path


async def test_the_page_is_for_everybody_and_may_load_from_here_only(built: Path) -> None:
    reply = await recovering().get(page.PATH)
    assert (reply.status, reply.media_type) == (200, "text/html")
    assert reply.body == SHELL.read_bytes()
    policy = reply.headers["Content-Security-Policy"]
    allowed = dict(each.strip().split(" ", 1) for each in policy.split(";"))
    assert allowed["default-src"] == "'none'"
    assert allowed.pop("style-src") == "'self' 'unsafe-inline'"
    assert allowed.pop("img-src") == "'self' data:"
    assert set(allowed.values()) == {"'none'", "'self'"}
    assert "Set-Cookie" not in reply.headers


async def test_without_its_parts_the_page_says_how_to_get_them(built: Path) -> None:
    (built / "main.js").unlink()
    reply = await recovering().get(page.PATH)
    assert (reply.status, reply.media_type) == (200, "text/html")
    assert b"make playground" in reply.body
    assert b"<script" not in reply.body


@pytest.mark.parametrize("name", ["playground.html", "missing.html"])
def test_nothing_is_inline_or_of_another_host(name: str) -> None:
    text = (HERE / name).read_text()
    assert set(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL)) <= {""}
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)
    named = [each for each in re.findall(r'(?:src|href)="([^"]+)"', text) if each[:5] != "data:"]
    assert named
    assert all(re.match(r"/(?!/)", each) for each in named)


@pytest.mark.parametrize(
    ("name", "media_type", "caching"),
    [
        ("main.js", "text/javascript", "private, no-cache"),
        ("main.css", "text/css", "private, no-cache"),
        ("licenses.txt", "text/plain", "private, no-cache"),
        ("chunk-AB12.js", "text/javascript", "public, max-age=31536000, immutable"),
        ("font-ab12.woff2", "font/woff2", "public, max-age=31536000, immutable"),
    ],
)
async def test_a_part_is_served_and_need_not_be_sent_twice(
    built: Path, name: str, media_type: str, caching: str
) -> None:
    served = recovering()
    reply = await served.get(f"{page.PATH}/{name}")
    assert (reply.status, reply.media_type, reply.body) == (200, media_type, name.encode())
    assert reply.headers["Cache-Control"] == caching
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    held = {"If-None-Match": reply.headers["ETag"]}
    again = await served.get(f"{page.PATH}/{name}", headers=held)
    assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")


async def test_a_part_that_is_built_anew_is_served_anew(built: Path) -> None:
    served = recovering()
    first = await served.get(f"{page.PATH}/main.js")
    (built / "main.js").write_text("another")
    second = await served.get(f"{page.PATH}/main.js")
    assert (first.body, second.body) == (b"main.js", b"another")
    assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize(
    "name",
    [
        "..%2fpage.py",
        "..%2fplayground.html",
        "%2e%2e%2f__init__.py",
        "..",
        "..%5cpage.py",
        "%00.js",
        "main.js%00",
        "main.js%0a",
        "notes.md",
        "nothing.js",
        ".js",
        f"{'a' * 300}.js",
    ],
)
async def test_nothing_else_is_served(built: Path, name: str) -> None:
    assert (await recovering().get(f"{page.PATH}/{name}")).status == 404


@pytest.mark.parametrize("path", OPERATIONS, ids=lambda path: path.stem)
def test_a_ready_made_tab_is_a_valid_operation_with_a_name(path: Path) -> None:
    document = parse(path.read_text())
    assert validate(schema, document) == []
    [operation] = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    assert operation.name.value.lower() == path.stem.lower()
    tabs = (HERE / "web" / "tabs.js").read_text()
    assert f'from "./operations/{path.name}"' in tabs


def test_every_subscription_has_its_tab() -> None:
    assert {path.stem for path in OPERATIONS} >= FIELDS


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (HERE / "web" / "package-lock.json").read_text()
