import subprocess
import sys

SERVER = ("quart", "hypercorn", "ariadne", "graphql", "jwt", "structlog", "prometheus_client",
          "incident_manager.http.settings", "incident_manager.http.config",
          "incident_manager.actors", "incident_manager.schema", "incident_manager.supervision",
          "sqlite3", "asyncio")  # fmt: skip


def test_the_client_needs_no_part_of_the_server() -> None:
    code = "import sys, incident_manager.http.client; print(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(ran.stdout.split())
    assert "trio_websocket" in modules
    assert not modules.intersection(SERVER)
