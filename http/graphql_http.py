"""GraphQL over HTTP (the GraphQL-over-HTTP specification, draft of stage 2)."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import frozen
from graphql import OperationType
from quart import request
from quart_trio.wrappers import TrioResponse
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import MethodNotAllowed, NotAcceptable
from werkzeug.http import parse_accept_header

from incident_manager.actors.errors import ErrorCode
from incident_manager.http.execution import execute, prepare
from incident_manager.http.replies import JSON, json_reply, text_reply
from incident_manager.http.rest.body import read_body
from incident_manager.http.rest.problems import STATUS, FieldError, InvalidFields, Problem
from incident_manager.http.serving import gateway, session
from incident_manager.schema.build import sdl
from incident_manager.schema.errors import OperationRefused, refusal
from incident_manager.schema.operation import Operation

__all__ = [
    "GRAPHQL",
    "GraphQLRequest",
    "failure",
    "get",
    "media_type",
    "post",
    "read_request",
    "read_url",
    "result_of",
    "schema",
]

GRAPHQL: Final = "application/graphql-response+json"

_UTF8: Final = "; charset=utf-8"
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?utf-8"?', re.IGNORECASE)
_STREAM: Final = (
    "A subscription cannot be answered here: send it over the WebSocket /graphql/ws"
    " (graphql-transport-ws), or to /graphql/stream (graphql-sse)."
)
#: Root fields that are answered also while the system does not run.
_ALWAYS: Final = frozenset({"health", "__typename", "__schema", "__type"})


@frozen
class GraphQLRequest:
    """A well-formed request. ``extensions`` are taken and mean nothing yet."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] | None = None
    extensions: Mapping[str, Any] | None = None


def read_request(given: Mapping[str, Any]) -> GraphQLRequest:
    """The request that the parameters make; :class:`InvalidFields` with all that are wrong."""
    errors: list[FieldError] = []
    query, name = given.get("query"), given.get("operationName")
    if not isinstance(query, str):
        what = "is required" if query is None else "must be a string"
        errors.append(FieldError("query", f"query {what}"))
    if name is not None and not isinstance(name, str):
        errors.append(FieldError("operationName", "operationName must be a string"))
    maps = {each: given.get(each) for each in ("variables", "extensions")}
    errors += [
        FieldError(each, f"{each} must be an object")
        for each, value in maps.items()
        if value is not None and not isinstance(value, Mapping)
    ]
    if errors:
        raise InvalidFields(errors)
    return GraphQLRequest(str(query), name or None, **maps)


def read_url() -> GraphQLRequest:
    """The request in the URL: ``variables`` and ``extensions`` are JSON."""
    given: dict[str, Any] = request.args.to_dict()
    for name in ("variables", "extensions"):
        if given.get(name):
            try:
                given[name] = msgspec.json.decode(given[name])
            except (msgspec.DecodeError, RecursionError):
                given[name] = ()  # not an object, and so named with the others that are wrong
        else:
            given.pop(name, None)
    return read_request(given)


def media_type() -> str:
    """The media type of the answer to the current request; NotAcceptable (406) if there is none.

    Without a preference it is ``application/graphql-response+json`` (section "Legacy watershed").
    """
    accept = ",".join(request.headers.getlist("Accept"))
    if not accept:
        return GRAPHQL
    # UTF-8 is what the types mean anyhow; Werkzeug takes types with parameters for others.
    offered = parse_accept_header(_CHARSET.sub("", accept), MIMEAccept)
    found = offered.best_match((GRAPHQL, JSON))
    if found is None:
        raise NotAcceptable(f"The answer can be had as {GRAPHQL} or {JSON}.")
    return found


async def post() -> TrioResponse:
    """A query or a mutation."""
    wanted = media_type()
    body = await read_body()
    return await _answer(read_request(body.given), wanted)


async def get() -> TrioResponse:
    """A query."""
    return await _answer(read_url(), media_type())


async def schema() -> TrioResponse:
    """The schema in the schema definition language."""
    return text_reply(sdl())


async def _answer(wanted: GraphQLRequest, media: str) -> TrioResponse:
    try:
        operation = prepare(
            gateway(),
            wanted.query,
            wanted.operation_name,
            wanted.variables,
            session().principal,
        )
        if operation.streams:
            raise refusal(ErrorCode.BAD_USER_INPUT, _STREAM, "query")
    except OperationRefused as refused:
        gateway().counters.erred(refused.errors)
        status = 200 if media == JSON else STATUS[refused.code]
        return _reply({"errors": refused.errors}, status, media)
    return _reply(await result_of(operation), 200, media)


async def result_of(operation: Operation) -> dict[str, Any]:
    """The result of a query or a mutation of the current request.

    Raises :class:`MethodNotAllowed` (405) for a mutation that was not sent with POST.
    """
    if request.method != "POST" and operation.kind is not OperationType.QUERY:
        raise MethodNotAllowed(["POST"], "A mutation must be sent with POST.")
    if not _ALWAYS.issuperset(operation.fields):
        gateway().running()
    return await execute(gateway(), operation, session())


def _reply(
    body: object, status: int, media: str, headers: Mapping[str, str] | None = None
) -> TrioResponse:
    return json_reply(body, status, {**(headers or {}), "Vary": "Accept"}, media_type=media + _UTF8)


def failure(problem: Problem) -> TrioResponse:
    """A request that got no answer, in the form of one."""
    extensions: dict[str, object] = {"code": problem.code}
    if problem.retry_after is not None:
        extensions["retryAfter"] = problem.retry_after
    errors = [
        {"message": f"{each.message}.", "extensions": {**extensions, "field": each.field}}
        for each in problem.errors
    ]
    try:
        media = media_type()
    except NotAcceptable:
        media = GRAPHQL
    body = {"errors": errors or [{"message": problem.detail, "extensions": extensions}]}
    gateway().counters.erred(body["errors"])
    return _reply(body, problem.status, media, problem.headers)
