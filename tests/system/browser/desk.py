"""What happens on the server's side of a test: alerts, incidents, changes by somebody else."""

from collections.abc import Sequence
from typing import Any

import httpx

__all__ = ["Desk", "alert"]


def alert(title: str, severity: str = "P2", **fields: object) -> dict[str, object]:
    """An alert as REST takes it."""
    given = {"source": "grafana", "title": title, "description": "d", "severity": severity}
    return {**given, **fields}


class Desk:
    """A client of the server beside the browser."""

    def __init__(self, http: str, token: str | None = None, *, verify: Any = True) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._web = httpx.Client(base_url=http, headers=headers, verify=verify, timeout=60)

    def send(self, *alerts: dict[str, object]) -> Sequence[str]:
        """Send alerts in; the ids of their incidents."""
        answer = self._web.post("/v1/alerts", json={"alerts": alerts})
        assert answer.status_code == 202, answer.text
        return [ack["incident_id"] for ack in answer.json()["acks"]]

    def ask(self, query: str, **variables: object) -> Any:
        answer = self._web.post("/graphql", json={"query": query, "variables": variables})
        body = answer.json()
        assert "errors" not in body, body
        return body["data"]

    def incident(self, incident: str) -> Any:
        """One incident, as the server has it."""
        query = """query ($id: UUID!) { incident(id: $id) { state severity acknowledgedBy assignees
            version comments { comments { content } } resolution { notes rootCause } } }"""
        return self.ask(query, id=incident)["incident"]

    def resolve(self, incident: str) -> None:
        self.ask(
            """mutation ($id: UUID!) {
                resolveIncident(id: $id, input: {method: AUTOMATED, notes: "n"}) { id } }""",
            id=incident,
        )

    def close(self) -> None:
        self._web.close()
