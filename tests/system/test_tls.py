"""The server over TLS, and its certificate changed while it runs."""

from pathlib import Path

import httpx

from system import certificates, harness
from system.client import opened


async def test_https_and_wss(tmp_path: Path) -> None:
    made = certificates.make(tmp_path / "tls")
    async with harness.local(tmp_path, tls=made) as server:
        async with httpx.AsyncClient(verify=made.trust()) as web:
            answer = await web.get(f"{server.http}/health/ready")
            assert answer.status_code == 200, answer.text
        async with opened(server.ws, tls=made.trust()) as client:
            assert (await client.data("{ health { status } }"))["health"]["status"] == "HEALTHY"
