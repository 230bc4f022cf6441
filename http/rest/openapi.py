"""The description of the interface, OpenAPI 3.1, made of the table of routes and nothing else."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol

from incident_manager import __version__
from incident_manager.actors.roles import Role
from incident_manager.http.replies import JSON
from incident_manager.http.rest import shapes
from incident_manager.http.rest.idempotency import HEADER, REPLAYED
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.schemas import Schema, components, reference

__all__ = ["DESCRIPTION", "Told", "document"]

PROBLEM: Final = "application/problem+json"

DESCRIPTION: Final = Operation(({"type": "object"},), tagged=True)
"""The operation that gives the description itself."""

_ABOUT: Final = """\
Alerts come in, become incidents, and everybody sees them the same moment.

Names are in snake_case, times in UTC (RFC 3339). Errors are problems (RFC 9457) that name every bad
field. A change may bear an `Idempotency-Key`: sent again, it is made once, and answered as it was
the first time. A member of a body that is null counts as absent, one that nobody asks for does not
matter; a query parameter of a listing that nobody asks for is refused.
"""

_SAID: Final = {
    200: "It is done.",
    201: "It is made.",
    202: "It is taken in.",
    304: "The client holds it already.",
    400: "The request is wrong; `errors` names each field.",
    401: "Nobody said who asks.",
    403: "The caller may not do this, or the token is bad or has expired.",
    404: "There is nothing of that name.",
    408: "The body did not come in time.",
    409: "It does not fit what is there.",
    410: "It is not kept any more.",
    412: "The incident is at another version than `If-Match` says.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "The idempotency key was used before with another body.",
    429: "More was asked than one client may; `Retry-After` says when it may ask again.",
    500: "Something went wrong inside the server.",
    503: "The server cannot answer now; whether a change was made may be unknown.",
    504: "There was no answer in time.",
}
_HEADERS: Final = {
    "ETag": (
        "Which state of it this is; of an incident its version, in quotes.",
        {"type": "string"},
    ),
    "Location": ("Where it is.", {"type": "string", "format": "uri-reference"}),
    "Retry-After": ("Seconds to wait.", {"type": "string", "pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("How to say who asks.", {"type": "string"}),
    REPLAYED: ("The answer is that of an earlier request.", {"type": "string", "const": "true"}),
}
_PATH: Final = re.compile(r"<(?P<name>\w+)>")


class Told(Protocol):
    """A route as it is described."""

    @property
    def method(self) -> str:
        """GET, POST ..."""
        ...

    @property
    def path(self) -> str:
        """The path as Quart has it."""
        ...

    @property
    def least(self) -> Role | None:
        """The role it needs."""
        ...

    @property
    def view(self) -> Callable[..., Awaitable[Any]]:
        """What answers it; its docstring is told."""
        ...

    @property
    def operation(self) -> Operation | None:
        """What else is told; None leaves the route out."""
        ...


def document(routes: Iterable[Told]) -> Schema:
    """The description of the routes that have an operation; valid OpenAPI 3.1."""
    told = [(route, route.operation) for route in routes if route.operation is not None]
    paths: dict[str, Schema] = {}
    for route, operation in told:
        path = paths.setdefault(_PATH.sub("{id}", route.path), {})
        path[route.method.lower()] = _operation(route, operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Incident Manager", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components([each for _, each in told], [shapes.Problem]),
            "responses": {str(status): _problem(status) for status in _problems(told)},
            "headers": {name: _header(name) for name in _HEADERS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(route: Told, operation: Operation) -> Schema:
    lines = inspect.cleandoc(route.view.__doc__ or "").split("\n\n", 1)
    needed = "" if route.least is None else f"It needs the role {route.least.name}."
    told = [*(part.replace("\n", " ") for part in lines[1:]), needed]
    found: Schema = {
        "operationId": _identifier(route),
        "summary": lines[0].replace("\n", " ").replace("``", "`").removesuffix("."),
        "description": " ".join(part for part in told if part),
        "parameters": [*_parameters(route, operation)],
    }
    if operation.bodies:
        content = {JSON: {"schema": _any_of([reference(each.name) for each in operation.bodies])}}
        found["requestBody"] = {"required": operation.body_required, "content": content}
    found["responses"] = _responses(route, operation)
    if route.least is not None:
        # Without credentials of its own the server asks for none.
        found["security"] = [{"bearer": []}, {"api_key": []}, {}]
    return {name: value for name, value in found.items() if value not in ("", [])}


def _identifier(route: Told) -> str:
    module = route.view.__module__.rpartition(".")[2]
    return f"{module}_{route.view.__name__}"


def _parameters(route: Told, operation: Operation) -> Iterable[Schema]:
    if _PATH.search(route.path):
        yield {
            "name": "id",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"},
        }
    for param in operation.parameters:
        schema = dict(param.schema)
        yield {"name": param.name, "in": "query", "description": param.about, "schema": schema}
    if _changes(route):
        about = "A name for this request, so that it is carried out once, whatever happens."
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        yield {"name": HEADER, "in": "header", "description": about, "schema": schema}
    if operation.matched:
        about = "The ETag of the version that is to be changed, or `*`."
        schema = {"type": "string", "pattern": r'^("(0|[1-9][0-9]{0,17})"|\*)$'}
        yield {"name": "If-Match", "in": "header", "description": about, "schema": schema}
    elif operation.conditional:
        about = "ETags of what the client holds."
        schema = {"type": "string"}
        yield {"name": "If-None-Match", "in": "header", "description": about, "schema": schema}


def _changes(route: Told) -> bool:
    return route.method != "GET"


def _responses(route: Told, operation: Operation) -> Schema:
    status = operation.status
    good: Schema = {"description": _SAID[status], "content": _content(operation.answers)}
    headers = {
        "ETag": operation.tagged,
        "Location": operation.located,
        REPLAYED: _changes(route),
    }
    if any(headers.values()):
        good["headers"] = {
            name: {"$ref": f"#/components/headers/{name}"} for name, has in headers.items() if has
        }
    answers = {status: good}
    if operation.conditional:
        answers[304] = {"description": _SAID[304], "headers": good["headers"]}
    for other, kind in operation.also.items():
        answers[other] = {"description": _SAID[other], "content": _content((kind,))}
    for problem in _statuses(route, operation):
        answers.setdefault(problem, {"$ref": f"#/components/responses/{problem}"})
    return {str(status): answers[status] for status in sorted(answers)}


def _content(kinds: tuple[Any, ...]) -> Schema:
    schemas = [kind if isinstance(kind, dict) else reference(kind.__name__) for kind in kinds]
    return {JSON: {"schema": _any_of(schemas)}}


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _statuses(route: Told, operation: Operation) -> set[int]:
    """The statuses with which a route answers a problem."""
    found = {403, 500, *operation.errors}  # 403 also for a Host that is not one of ours
    if route.least is not None:
        found |= {401, 429, 503, 504}
    if _PATH.search(route.path):
        found |= {400, 404}
    if operation.parameters:
        found.add(400)
    if _changes(route):
        found |= {400, 408, 413, 415, 422}
    if operation.matched:
        found.add(412)
    if operation.conflicts:
        found.add(409)
    return found


def _problems(told: Iterable[tuple[Told, Operation]]) -> list[int]:
    return sorted({status for each in told for status in _statuses(*each)})


def _problem(status: int) -> Schema:
    found: Schema = {
        "description": _SAID[status],
        "content": {PROBLEM: {"schema": reference(shapes.Problem.__name__)}},
    }
    header = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(status)
    if header is not None:
        found["headers"] = {header: {"$ref": f"#/components/headers/{header}"}}
    return found


def _header(name: str) -> Schema:
    about, schema = _HEADERS[name]
    return {"description": about, "schema": schema}
