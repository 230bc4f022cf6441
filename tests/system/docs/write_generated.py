"""Write what documents repeat of the code: ``python tests/system/docs/write_generated.py``.

It stands between two comments in a document: ``<!-- generated: NAME ... -->`` and
``<!-- end of NAME -->``. ``docs/api-specification.yaml``, ``docs/asyncapi.yaml`` and
``docs/GRAPHQL_SCHEMA_REFERENCE.md`` are generated as a whole.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import graphql
import yaml

from incident_manager.http.access import table
from incident_manager.http.config import settings_reference
from incident_manager.http.web import ROUTES, openapi
from incident_manager.schema.build import sdl
from incident_manager.schema.reference import reference

__all__ = [
    "DOCUMENTS",
    "SCHEMA",
    "SPECIFICATION",
    "STREAMS",
    "generated",
    "specification",
    "streams",
]

_DOCS: Final = Path(__file__).parents[3] / "docs"
DOCUMENTS: Final = (
    _DOCS / "GRAPHQL_API_GUIDE.md",
    _DOCS / "SECURITY.md",
    _DOCS / "SETTINGS.md",
    _DOCS / "WEBSOCKET_API_REFERENCE.md",
)
SPECIFICATION: Final = _DOCS / "api-specification.yaml"
STREAMS: Final = _DOCS / "asyncapi.yaml"
SCHEMA: Final = _DOCS / "GRAPHQL_SCHEMA_REFERENCE.md"

_PLACE = re.compile(
    r"<!-- generated: (?P<name>\w+)(?P<how>[^>]*) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL
)
_ROOTS: Final = ("Query", "Mutation")


def _definitions(wanted: Callable[[graphql.TypeDefinitionNode], bool]) -> str:
    """Definitions of the schema, with their descriptions, in its order."""
    found = [
        graphql.print_ast(node)
        for node in graphql.parse(sdl()).definitions
        if isinstance(node, graphql.TypeDefinitionNode) and wanted(node)
    ]
    return "```graphql\n" + "\n\n".join(found) + "\n```\n"


def _is_type(node: graphql.TypeDefinitionNode) -> bool:
    kinds = (graphql.ObjectTypeDefinitionNode, graphql.InputObjectTypeDefinitionNode)
    roots = (*_ROOTS, "Subscription", "StreamFilterInput")
    return isinstance(node, kinds) and node.name.value not in roots


def _routes() -> str:
    """The routes that the description of REST has, with the first line of each."""
    lines = ["| Route | Role | What |", "|---|---|---|"]
    for route in ROUTES:
        if route.operation is None:
            continue
        path = re.sub(r"<\w+>", "{id}", route.path)
        summary = openapi()["paths"][path][route.method.lower()]["summary"]
        role = "" if route.least is None else route.least.name
        lines.append(f"| `{route.method} {path}` | {role} | {summary} |")
    return "\n".join(lines) + "\n"


_PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "settings": settings_reference,
    "access": table,
    "routes": _routes,
    "roots": lambda: _definitions(lambda node: node.name.value in _ROOTS),
    "types": lambda: _definitions(_is_type),
    "enums": lambda: _definitions(lambda node: isinstance(node, graphql.EnumTypeDefinitionNode)),
}


def generated(text: str) -> str:
    """A document with its generated parts as they are to be now."""
    return _PLACE.sub(
        lambda found: (
            f"<!-- generated: {found['name']}{found['how']} -->\n\n"
            f"{_PARTS[found['name']]()}\n<!-- end of {found['name']} -->"
        ),
        text,
    )


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """Write everything out where it stands."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)


def specification() -> str:
    """The description of the REST interface as it is to be now, in YAML."""
    return _yaml(openapi())


def streams() -> str:
    """The description of the WebSocket interface as it is to be now, in YAML."""
    from system.docs.asyncapi import asyncapi  # here, as a script must first say where it is

    return _yaml(asyncapi())


def _yaml(document: object) -> str:
    head = "# Generated: python tests/system/docs/write_generated.py\n"
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=100)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    SPECIFICATION.write_text(specification())
    STREAMS.write_text(streams())
    SCHEMA.write_text(reference())
    for path in DOCUMENTS:
        path.write_text(generated(path.read_text()))
