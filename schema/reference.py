"""The reference of the schema for people, in Markdown, made of the schema itself."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from graphql import (
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    TypeNode,
    parse,
    print_ast,
)

from incident_manager.schema.build import sdl
from incident_manager.schema.documents import DocumentLimits
from incident_manager.schema.operation import ACCESS
from incident_manager.schema.tally import DELIVERY, REQUEST

__all__ = ["reference"]

_ROOTS: Final = {"Query": "Queries", "Mutation": "Mutations", "Subscription": "Subscriptions"}
_KINDS: Final = {
    "Objects": ObjectTypeDefinitionNode,
    "Inputs": InputObjectTypeDefinitionNode,
    "Enumerations": EnumTypeDefinitionNode,
    "Scalars": ScalarTypeDefinitionNode,
}
_OWN: Final = frozenset({"String", "Int", "Float", "Boolean", "ID"})
_INTRODUCTION: Final = """\
This page is made of the schema by `python tests/system/docs/write_generated.py`. A server gives
the same in the schema definition language: `GET /graphql/schema`. `!` stands behind what is never
null, `[]` around what is a list."""

_Member = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode
_Row = tuple[str, ...]


def reference() -> str:
    """The whole document."""
    definitions: dict[str, Any] = {
        node.name.value: node
        for node in parse(sdl(), no_location=True).definitions
        if isinstance(node, TypeDefinitionNode)
    }
    titles = (*_ROOTS.values(), *_KINDS, "Limits")
    parts = ["# The GraphQL schema", _INTRODUCTION]
    parts.append("\n".join(f"- [{title}](#{title.lower()})" for title in titles))
    for name, title in _ROOTS.items():
        least = ACCESS[name].least
        needed = "" if least is None else f"They need the role {least.name}."
        parts += [f"## {title}", needed]
        parts += _type(definitions.pop(name))
    for title, kind in _KINDS.items():
        parts.append(f"## {title}")
        for name, node in definitions.items():
            if isinstance(node, kind):
                parts += [f"### {name}", *_type(node)]
    return "\n\n".join([*parts, "## Limits", _limits()]) + "\n"


def _type(node: Any) -> Iterator[str]:
    if node.description is not None:
        yield _said(node)
    if isinstance(node, EnumTypeDefinitionNode):
        rows = [(f"`{each.name.value}`", _said(each)) for each in node.values or ()]
        yield _table(("Value", "Meaning"), rows)
    elif not isinstance(node, ScalarTypeDefinitionNode):
        yield _table(("Field", "Type", "Meaning"), map(_member, node.fields))


def _member(node: FieldDefinitionNode | InputValueDefinitionNode) -> _Row:
    if isinstance(node, InputValueDefinitionNode):
        return f"`{node.name.value}{_default(node)}`", _linked(node.type), _said(node)
    arguments = node.arguments or ()
    said = [
        _said(node),
        *(f"`{each.name.value}`: {_said(each)}" for each in arguments if _said(each)),
    ]
    given = ", ".join(
        f"{each.name.value}: {print_ast(each.type)}{_default(each)}" for each in arguments
    )
    written = f"`{node.name.value}({given})`" if given else f"`{node.name.value}`"
    return written, _linked(node.type), " ".join(filter(None, said))


def _default(node: InputValueDefinitionNode) -> str:
    return "" if node.default_value is None else f" = {print_ast(node.default_value)}"


def _said(node: Any) -> str:
    return "" if node.description is None else " ".join(node.description.value.split())


def _linked(node: TypeNode) -> str:
    """The type, as a link to where it is described."""
    text = f"`{print_ast(node)}`"
    name = text.strip("`[]!")
    return text if name in _OWN else f"[{text}](#{name.lower()})"


def _table(head: _Row, rows: Iterable[_Row]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def _limits() -> str:
    limits = DocumentLimits()
    rows = [
        ("Size of a document", f"{limits.bytes // 1024} KiB", ""),
        ("Tokens in it", f"{limits.tokens:,}", ""),
        ("Aliases in it", f"{limits.aliases:,}", ""),
    ]
    for kind, name in (("query or mutation", "query"), ("subscription", "subscription")):
        for what, setting in (("Depth", f"{name}_depth"), ("Fields", f"{name}_complexity")):
            most = getattr(limits, setting)
            rows.append((f"{what} of a {kind}", f"{most:,}", f"`limits.{setting}`"))
    for where, most in (("one answer", REQUEST), ("one event", DELIVERY)):
        rows.append((f"Objects in relations of {where}", f"{most.objects:,}", ""))
        rows.append((f"Objects whose relations {where} asks for", f"{most.asks:,}", ""))
    return (
        "What is beyond gets COMPLEXITY_LIMITED. Fields are counted with fragments written out, and"
        " nothing is multiplied; introspection does not count.\n\n"
        + _table(("What", "At most", "Setting"), rows)
    )
