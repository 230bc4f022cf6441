"""Costs: how deep and how wide operations are, before anybody validates them.

The time is linear in the size of the document, whatever it is: each fragment is measured once,
however often it is spread. The spread that closes a cycle of fragments counts nothing:
validation refuses it anyhow.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

__all__ = ["Cost", "costs"]


@frozen
class Cost:
    """``depth`` is how many fields lie in each other, ``fields`` how many are selected.

    Fragments are expanded, nothing is multiplied, directives do not count, and neither does
    introspection (contract, section 2).
    """

    depth: int = 0
    fields: int = 0


@frozen
class _Spread:
    """A fragment, spread where so many fields lie around it."""

    name: str
    depth: int


@frozen
class _Written:
    """What is written in one definition itself, and the fragments that are spread in it."""

    own: Cost
    spreads: tuple[_Spread, ...]


_NOTHING: Final = Cost()


def costs(document: DocumentNode) -> Iterator[tuple[OperationDefinitionNode, Cost]]:
    """What each operation costs. The document need not be valid."""
    known = _measured(
        {
            each.name.value: _written(each.selection_set)
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        }
    )
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            yield each, _whole(_written(each.selection_set), known)


def _written(selection_set: SelectionSetNode) -> _Written:
    deepest = fields = 0
    spreads: list[_Spread] = []
    waiting: list[tuple[SelectionNode, int]] = [(each, 0) for each in selection_set.selections]
    while waiting:  # without recursion: a document may be deep
        node, depth = waiting.pop()
        if isinstance(node, FragmentSpreadNode):
            spreads.append(_Spread(node.name.value, depth))
            continue
        if isinstance(node, FieldNode):
            if node.name.value.startswith("__"):
                continue
            depth += 1
            fields += 1
            deepest = max(deepest, depth)
        inside: SelectionSetNode | None = getattr(node, "selection_set", None)
        if inside is not None:
            waiting += [(each, depth) for each in inside.selections]
    return _Written(Cost(deepest, fields), tuple(spreads))


def _whole(written: _Written, known: Mapping[str, Cost]) -> Cost:
    """The cost with all that is spread; fragments that are not known count nothing."""
    depth, fields = written.own.depth, written.own.fields
    for spread in written.spreads:
        below = known.get(spread.name, _NOTHING)
        if below.fields:
            depth = max(depth, spread.depth + below.depth)
            fields += below.fields
    return Cost(depth, fields)


def _measured(fragments: Mapping[str, _Written]) -> Mapping[str, Cost]:
    """The cost of each fragment: those that are spread in it come first."""
    known: dict[str, Cost] = {}
    begun: set[str] = set()
    for first in fragments:
        waiting = [first]
        while waiting:
            name = waiting[-1]
            if name not in begun:
                begun.add(name)
                waiting += {
                    each.name for each in fragments[name].spreads if each.name in fragments
                } - begun
            else:
                waiting.pop()
                if name not in known:
                    known[name] = _whole(fragments[name], known)
    return known
