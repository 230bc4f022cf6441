"""The description of the WebSocket interface, AsyncAPI 3, made of the code: the messages of the
protocol, the close codes, the error codes, and the schema's subscriptions."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import graphql

from incident_manager import __version__
from incident_manager.actors.errors import ErrorCode
from incident_manager.http.close_codes import CloseCode
from incident_manager.http.messages import MessageType
from incident_manager.http.protocol import SUBPROTOCOL
from incident_manager.schema.build import schema

__all__ = ["asyncapi"]

Schema = dict[str, Any]

_OBJECT: Final[Schema] = {"type": "object"}
_ID: Final[Schema] = {"type": "string", "minLength": 1}
_TEXT: Final[Schema] = {"type": "string"}

_SCALARS: Final[Mapping[str, Schema]] = {
    "ID": _TEXT,
    "String": _TEXT,
    "Int": {"type": "integer", "format": "int32"},
    "Float": {"type": "number"},
    "Boolean": {"type": "boolean"},
    "UUID": {"type": "string", "format": "uuid"},
    "DateTime": {"type": "string", "format": "date-time"},
    "Map": {"type": "object", "additionalProperties": _TEXT},
    "JSON": {},
    "Cursor": {"type": "string", "pattern": "^.+:[0-9]+$"},
}

_AUTHORIZATION: Final[Schema] = {
    "type": "string",
    "description": "`Bearer` and a token; the name is read in any case.",
    "examples": ["Bearer eyJhbGciOiJIUzI1NiJ9.…"],
}


def _ref(*path: str) -> Schema:
    return {"$ref": "#/" + "/".join(path)}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return found | ({"required": list(required)} if required else {})


def _nullable(given: Schema) -> Schema:
    return {"oneOf": [given, {"type": "null"}]}


# --- the schema -----------------------------------------------------------------------------------


def _type(kind: graphql.GraphQLType) -> Schema:
    if isinstance(kind, graphql.GraphQLNonNull):
        return _bare(kind.of_type)
    return _nullable(_bare(kind))


def _bare(kind: graphql.GraphQLType) -> Schema:
    if isinstance(kind, graphql.GraphQLList):
        return {"type": "array", "items": _type(kind.of_type)}
    assert isinstance(kind, graphql.GraphQLNamedType)
    return _SCALARS.get(kind.name) or _ref("components", "schemas", kind.name)


def _described(schema: Schema, description: str | None) -> Schema:
    return schema if description is None else {**schema, "description": description}


def _component(kind: graphql.GraphQLNamedType) -> Schema:
    """A type of the schema; which of its fields are there is for the document to say."""
    if isinstance(kind, graphql.GraphQLEnumType):
        return _described({"type": "string", "enum": list(kind.values)}, kind.description)
    assert isinstance(kind, graphql.GraphQLObjectType | graphql.GraphQLInputObjectType)
    # Both kinds of fields have a type and a description.
    properties = {
        name: _member(_type(each.type), each.description) for name, each in kind.fields.items()
    }
    return _described({"type": "object", "properties": properties}, kind.description)


def _member(schema: Schema, description: str | None) -> Schema:
    if description is None or "$ref" in schema:
        return schema
    return {**schema, "description": description}


def _reached(kind: graphql.GraphQLType, found: dict[str, graphql.GraphQLNamedType]) -> None:
    named = graphql.get_named_type(kind)
    if named.name in _SCALARS or named.name in found:
        return
    found[named.name] = named
    if isinstance(named, graphql.GraphQLObjectType | graphql.GraphQLInputObjectType):
        for each in named.fields.values():
            _reached(each.type, found)


def _subscriptions() -> Mapping[str, graphql.GraphQLField]:
    assert schema.subscription_type is not None
    return schema.subscription_type.fields


def _variables(field: graphql.GraphQLField) -> Schema:
    properties = {
        name: _member(_type(argument.type), argument.description)
        for name, argument in field.args.items()
    }
    return {"type": "object", "properties": properties}


def _schemas() -> dict[str, Schema]:
    found: dict[str, graphql.GraphQLNamedType] = {}
    for field in _subscriptions().values():
        _reached(field.type, found)
        for argument in field.args.values():
            _reached(argument.type, found)
    types = {name: _component(found[name]) for name in sorted(found)}
    events = {
        f"{name}Event": _described(_object((name,), **{name: _type(field.type)}), field.description)
        for name, field in _subscriptions().items()
    }
    arguments = {f"{name}Arguments": _variables(field) for name, field in _subscriptions().items()}
    return {**_parts(), **arguments, **events, **types}


def _parts() -> dict[str, Schema]:
    cursor = _SCALARS["Cursor"]
    gap = _object(("from", "to"), **{"from": cursor, "to": cursor})
    return {
        "Gap": _described(gap, "A part of the stream that is not kept any more."),
        "Extensions": _object(
            cursor=_described(cursor, "Where to resume after this event."),
            recovered=_described(
                {"type": "boolean"},
                "On the first `next` after a resume: whether all that was missed came.",
            ),
            gap=_ref("components", "schemas", "Gap"),
        ),
        "GraphQLError": _object(
            ("message", "extensions"),
            message=_TEXT,
            path={"type": "array", "items": {"type": ["string", "integer"]}},
            locations={
                "type": "array",
                "items": _object(line={"type": "integer"}, column={"type": "integer"}),
            },
            extensions=_object(("code",), code=_ref("components", "schemas", "ErrorCode")),
        ),
        "ErrorCode": {"type": "string", "enum": [code.value for code in ErrorCode]},
    }


# --- the messages ---------------------------------------------------------------------------------


def _message(kind: MessageType, summary: str, payload: Schema | None = None, **more: Any) -> Schema:
    required = ["type", *more.pop("required", ())]
    properties: Schema = {"type": {"type": "string", "const": kind.value}}
    if more.pop("id", False):
        required.append("id")
        properties["id"] = _ID
    if payload is not None:
        properties["payload"] = payload
    return {
        "name": kind.value,
        "title": kind.value,
        "summary": summary,
        "payload": {"type": "object", "required": required, "properties": properties},
        **more,
    }


def _messages() -> dict[str, Schema]:
    events = [_ref("components", "schemas", f"{name}Event") for name in _subscriptions()]
    result = _object(
        ("data",),
        data={"anyOf": [*events, {"type": ["object", "null"]}]},  # of a query it is any object
        errors={"type": "array", "items": _ref("components", "schemas", "GraphQLError")},
        extensions=_ref("components", "schemas", "Extensions"),
    )
    question = _object(
        ("query",),
        query={"type": "string", "description": "A GraphQL document."},
        operationName={"type": ["string", "null"]},
        variables={"type": ["object", "null"]},
        extensions=_object(
            cursor=_described(_SCALARS["Cursor"], "Every event after it comes first.")
        ),
    )
    renewed = _object(
        authorization={"type": "string", "enum": ["accepted", "rejected"]},
        expiresAt=_nullable(_SCALARS["DateTime"]),
    )
    told = _object(
        subscription=_ID,
        recovered={"type": "boolean"},
        gap=_ref("components", "schemas", "Gap"),
        cursor=_SCALARS["Cursor"],
    )
    init = _nullable(_object(Authorization=_AUTHORIZATION))
    name = "subscription { newIncidents { id title } }"
    return {
        "connectionInit": _message(
            MessageType.CONNECTION_INIT, "The first message of a client.", init
        ),
        "connectionAck": _message(
            MessageType.CONNECTION_ACK, "The client is let in.", _nullable(_OBJECT)
        ),
        "subscribe": _message(
            MessageType.SUBSCRIBE,
            "Begin an operation: a subscription, a query or a mutation.",
            question,
            id=True,
            required=("payload",),
            examples=[{"payload": {"type": "subscribe", "id": "1", "payload": {"query": name}}}],
        ),
        "next": _message(
            MessageType.NEXT, "A result, or an event.", result, id=True, required=("payload",)
        ),
        "error": _message(
            MessageType.ERROR,
            "The operation has failed as a whole, and is over.",
            {
                "type": "array",
                "minItems": 1,
                "items": _ref("components", "schemas", "GraphQLError"),
            },
            id=True,
            required=("payload",),
        ),
        "complete": _message(
            MessageType.COMPLETE, "The operation is over, or not wanted any more.", id=True
        ),
        "ping": _message(
            MessageType.PING,
            "Answered by a pong with its payload; one with a token renews it.",
            _nullable(_object(authorization=_AUTHORIZATION)),
        ),
        "pong": _message(
            MessageType.PONG,
            "The answer to a ping.",
            _nullable({"anyOf": [renewed, _OBJECT]}),
        ),
        "serverPing": _message(
            MessageType.PING,
            "Tells at once of a gap in a subscription that resumes.",
            _nullable(told),
        ),
        "connectionTerminate": _message(
            MessageType.CONNECTION_TERMINATE, "Older clients say so that they leave."
        ),
    }


_RECEIVED: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "connect": ("connectionInit", "Say who asks; the first thing to do.", ("connectionAck",)),
    "subscribe": (
        "subscribe",
        "Follow a stream, or ask once. The answers bear the id of the question.",
        ("next", "error", "complete"),
    ),
    "unsubscribe": ("complete", "Want no more of an operation.", ()),
    "ping": ("ping", "See whether the server lives, or renew the token.", ("pong",)),
    "pong": ("pong", "Answer a ping of the server's.", ()),
    "terminate": ("connectionTerminate", "Leave, as older clients do.", ()),
}


def _operations() -> dict[str, Schema]:
    operations: dict[str, Schema] = {}
    for name, (message, summary, replies) in _RECEIVED.items():
        operations[name] = {
            "action": "receive",
            "channel": _ref("channels", "graphql"),
            "summary": summary,
            "messages": [_ref("channels", "graphql", "messages", message)],
        }
        if replies:
            operations[name]["reply"] = {
                "channel": _ref("channels", "graphql"),
                "messages": [_ref("channels", "graphql", "messages", each) for each in replies],
            }
    operations["tell"] = {
        "action": "send",
        "channel": _ref("channels", "graphql"),
        "summary": "Tell of a gap.",
        "messages": [_ref("channels", "graphql", "messages", "serverPing")],
    }
    return operations


def _close_codes() -> list[Schema]:
    return [
        {"code": code.value, "reason": code.reason, "final": code.is_fatal} for code in CloseCode
    ]


_ABOUT: Final = f"""\
Incidents, the moment they change: GraphQL subscriptions over a WebSocket, with the subprotocol
`{SUBPROTOCOL}`. The streams are the fields of `Subscription`; which fields of an event come is for
the document to say. Queries and mutations work, too.

Every event has a cursor. A `subscribe` with `extensions.cursor` first gets, in order, every event
after it, and then goes on live.
"""


def asyncapi() -> Schema:
    """The description as AsyncAPI 3.1."""
    messages = _messages()
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Incident Manager: WebSocket",
            "version": __version__,
            "description": inspect.cleandoc(_ABOUT),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": "localhost:8080",
                "protocol": "ws",
                "description": "As it starts by default; `wss` where `server.tls_cert` is set.",
                "security": [_ref("components", "securitySchemes", "bearer")],
            }
        },
        "channels": {
            "graphql": {
                "address": "/graphql/ws",
                "summary": "The one connection for all operations of a client.",
                "messages": {name: _ref("components", "messages", name) for name in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "headers": _object(
                            **{
                                "Sec-WebSocket-Protocol": {"type": "string", "const": SUBPROTOCOL},
                                "Authorization": _AUTHORIZATION,
                            }
                        ),
                    }
                },
                "x-close-codes": _close_codes(),
                "x-subscriptions": {
                    name: {
                        "arguments": _ref("components", "schemas", f"{name}Arguments"),
                        "event": _ref("components", "schemas", f"{name}Event"),
                    }
                    for name in _subscriptions()
                },
            }
        },
        "operations": _operations(),
        "components": {
            "messages": messages,
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "In the upgrade, or in the payload of `connection_init`.",
                }
            },
        },
    }
