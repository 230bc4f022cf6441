"""The page of the actor tree: parts of its own, and nothing inline."""

import re

import pytest

from unit.http.served import recovering

BROWSER = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("actors.js", "text/javascript"),
        ("bars.js", "text/javascript"),
        ("rates.js", "text/javascript"),
        ("renew.js", "text/javascript"),
        ("actors.css", "text/css"),
    ],
)
async def test_its_parts_are_served(name: str, media_type: str) -> None:
    reply = await recovering().get(f"/debug/assets/{name}")
    assert (reply.status, reply.media_type) == (200, media_type)


@pytest.mark.parametrize("name", ["actors.html", "..%2fpage.py", "nothing.js", "%00"])
async def test_nothing_else_is(name: str) -> None:
    assert (await recovering().get(f"/debug/assets/{name}")).status == 404


async def test_nothing_is_inline_or_of_another_host() -> None:
    served = recovering()
    page = (await served.get("/debug/actors", headers=BROWSER)).body.decode()
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    ours = ["/debug/assets/actors.css", "/debug/assets/actors.js", "/graphql/playground"]
    assert sorted(parts) == ["/", *ours, "data:,"]
    script = (await served.get("/debug/assets/actors.js")).body.decode()
    assert "innerHTML" not in script
    assert "://" not in script
