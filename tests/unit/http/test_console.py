"""The console's files: a page without data, nothing inline, nothing of another host."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest

from incident_manager.http import console
from unit.http.served import recovering

ASSETS = Path(console.__file__).parent / "assets"
PARTS = sorted(each.name for each in ASSETS.iterdir() if each.suffix != ".html")


async def test_the_page_is_for_everybody_and_may_run_its_own_scripts_only() -> None:
    reply = await recovering().get("/")
    assert (reply.status, reply.media_type) == (200, "text/html")
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_nothing_is_inline_or_of_another_host() -> None:
    page = (await recovering().get("/")).body.decode()
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    named = [each for each in re.findall(r'(?:src|href)="([^"]+)"', page) if each[:5] != "data:"]
    assert named
    assert {each.removeprefix("/console/") for each in named} <= set(PARTS)


async def test_a_part_is_served_and_need_not_be_sent_twice() -> None:
    served = recovering()
    for name in PARTS:
        reply = await served.get(f"/console/{name}")
        assert reply.status == 200
        assert reply.media_type == ("text/css" if name.endswith(".css") else "text/javascript")
        held = {"If-None-Match": reply.headers["ETag"]}
        again = await served.get(f"/console/{name}", headers=held)
        assert (again.status, again.body) == (HTTPStatus.NOT_MODIFIED, b"")


@pytest.mark.parametrize("name", [each for each in PARTS if each.endswith(".js")])
def test_a_script_makes_no_markup_and_imports_what_is_there(name: str) -> None:
    script = (ASSETS / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", script)
    assert set(re.findall(r'(?:from|import) "\./([^"]+)"', script)) <= set(PARTS)
    assert script.count("\n") <= 400


@pytest.mark.parametrize("name", ["console.html", "..%2fpage.py", "nothing.js", "%00"])
async def test_nothing_else_is_served(name: str) -> None:
    assert (await recovering().get(f"/console/{name}")).status == 404
