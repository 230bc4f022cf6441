"""Write what documents repeat of the code: ``python tests/system/docs/write_generated.py``.

It stands between two comments in a document: ``<!-- generated: NAME ... -->`` and
``<!-- end of NAME -->``.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import graphql

from incident_manager.http.config import settings_reference
from incident_manager.schema.build import sdl

__all__ = ["DOCUMENTS", "generated"]

_DOCS: Final = Path(__file__).parents[3] / "docs"
DOCUMENTS: Final = (_DOCS / "SETTINGS.md", _DOCS / "WEBSOCKET_API_REFERENCE.md")

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


_PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "settings": settings_reference,
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


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(generated(path.read_text()))
