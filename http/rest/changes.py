"""A change of one incident: its id, the version that is expected, its body, and its answer."""

from collections.abc import Mapping
from typing import Any, TypeVar

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.answers import IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.errors import Refused
from incident_manager.actors.model import Incident
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.body import read_body, read_optional_body
from incident_manager.http.rest.fields import Fields, wanted_id
from incident_manager.http.rest.forms import Form
from incident_manager.http.rest.idempotency import ask, request_key
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.preconditions import etag, expected_version
from incident_manager.http.rest.views import incident_view

__all__ = ["change", "changed", "incident_reply", "read_change", "tagged"]

C = TypeVar("C", bound=Command)


async def change(
    told: Operation,
    form: Form[C],
    incident_id: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> TrioResponse:
    """Change an incident as the body says; the answer is the incident after it."""
    command, key = await read_change(told, form, incident_id)
    return incident_reply(await changed(command, key), status, headers)


async def read_change(
    told: Operation, form: Form[C], incident_id: str
) -> tuple[C, IdempotencyKey | None]:
    """The command that the current request asks for, and its idempotency key.

    Raises :class:`InvalidFields` with all that is wrong in path, headers and body.
    """
    body = await (read_body() if told.body_required else read_optional_body())
    fields = Fields(body.given)
    given: dict[str, Any] = {"id": fields.attempt(lambda: wanted_id(incident_id))}
    if told.matched:
        wanted = request.headers.get("If-Match")
        given["expected_version"] = fields.attempt(lambda: expected_version(wanted))
    key = fields.attempt(lambda: request_key(body.raw))
    command = form.fill(fields)
    fields.done()
    return form.complete(command, given), key


async def changed(command: Command, key: IdempotencyKey | None) -> Incident:
    """The incident after a command; raises :class:`Refused` where it cannot be done."""
    [result] = (await ask([command], key)).results
    if isinstance(result, Refused):
        raise result
    assert isinstance(result, Incident)  # noqa: S101 -- such a change is answered with it
    return result


def incident_reply(
    incident: Incident, status: int = 200, headers: Mapping[str, str] | None = None
) -> TrioResponse:
    """An incident with its tag."""
    return json_reply(
        incident_view(incident), status, {**tagged(etag(incident.version)), **(headers or {})}
    )


def tagged(tag: str) -> dict[str, str]:
    """The headers of what a client may keep, and must ask about each time."""
    return {"ETag": tag, "Cache-Control": "private, no-cache"}
