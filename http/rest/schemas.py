"""JSON Schemas (2020-12) of bodies and answers, from forms, limits and types."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final, get_type_hints, is_typeddict

import msgspec

from incident_manager.actors.limits import LIMITS, Each, Limit, Pairs, Text
from incident_manager.http.rest import shapes
from incident_manager.http.rest.forms import Form, Member
from incident_manager.http.rest.operation import Many, Operation, Other

__all__ = ["REFERENCE", "Schema", "body_schemas", "components", "reference"]

Schema = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"

_ANY_CASE: Final = "In any case."


def reference(name: str) -> Schema:
    """A reference to the component of that name."""
    return {"$ref": REFERENCE.format(name=name)}


def components(operations: Iterable[Operation], more: Iterable[Any]) -> Schema:
    """The schemas that operations refer to, by name: bodies, and answers with what is in them."""
    told = tuple(operations)
    answers = [each for one in told for each in (*one.answers, *one.also.values(), *more)]
    kinds = {each.__name__: each for each in answers if is_typeddict(each)}
    _, found = msgspec.json.schema_components(kinds.values(), ref_template=REFERENCE)
    for one in told:
        for body in one.bodies:
            found |= body_schemas(body)
    return {name: _in_order(found[name]) for name in sorted(found)}


def _in_order(schema: Schema) -> Schema:
    """The properties as the type has them, not by the alphabet."""
    kind = getattr(shapes, schema.get("title", ""), None)
    if not is_typeddict(kind):
        return schema
    properties = schema["properties"]
    return {**schema, "properties": {name: properties[name] for name in get_type_hints(kind)}}


def body_schemas(body: Form[Any] | Many | Other) -> Schema:
    """The components that one body needs, its own first."""
    if isinstance(body, Other):
        return {body.name: dict(body.schema)}
    if isinstance(body, Form):
        return {body.name: _form(body)}
    items = {"type": "array", "minItems": 1, "maxItems": body.most}
    properties = {body.member: {**items, "items": reference(body.item.name)}}
    many = {"type": "object", "required": [body.member], "properties": properties}
    return {body.name: many, **body_schemas(body.item)}


def _form(form: Form[Any]) -> Schema:
    properties = {member.name: _member(member) for member in form.members}
    schema: Schema = {
        "description": (type(form.neutral).__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": {**properties, **{name: dict(each) for name, each in form.besides.items()}},
    }
    if form.required:
        schema["required"] = list(form.required)
    return schema


def _member(member: Member) -> Schema:
    """A member's schema; where it need not be given, it may be null."""
    schema = _value(member)
    if not member.required:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _value(member: Member) -> Schema:
    if issubclass(member.kind, StrEnum):
        names = list(member.kind.__members__)
        return {"type": "string", "enum": names, "description": _ANY_CASE}
    if member.is_time():
        return {"type": "string", "format": "date-time"}
    return _limited(LIMITS[member.attribute][1])


def _limited(limit: Limit) -> Schema:
    if isinstance(limit, Text):
        schema: Schema = {"type": "string"}
        if limit.least:
            schema["minLength"] = limit.least
        if limit.most is not None:
            schema["maxLength"] = limit.most
        if limit.kb is not None:
            schema["description"] = f"At most {limit.kb} KB of UTF-8."
        return schema
    if isinstance(limit, Each):
        return {"type": "array", "maxItems": limit.most, "items": _limited(limit.item)}
    return _pairs(limit)


def _pairs(limit: Pairs) -> Schema:
    return {
        "type": "object",
        "maxProperties": limit.most,
        "propertyNames": _limited(limit.key),
        "additionalProperties": _limited(limit.value),
    }
