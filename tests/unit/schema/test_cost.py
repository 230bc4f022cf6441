"""Costs: fields as the contract counts them, in a time that nobody can blow up."""

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    SelectionSetNode,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.schema.cost import Cost, costs


def cost(text: str) -> Cost:
    [(_, found)] = costs(parse(text))
    return found


@pytest.mark.parametrize(
    ("text", "depth", "fields"),
    [
        ("{ }", 0, 0),
        ("{ a }", 1, 1),
        ("{ a b: a a }", 1, 3),
        ("{ a { b { c } } d }", 3, 4),
        ("{ ... { a ... on T { b { c } } } }", 2, 3),
        ("{ a @skip(if: true) { b } }", 2, 2),
        ("{ a(first: 100) { b } }", 2, 2),
        ("{ ...F } fragment F on T { a { b } }", 2, 2),
        ("{ x { ...F } ...F } fragment F on T { a { b } }", 3, 5),
        ("{ ...F ...F } fragment F on T { a ...G } fragment G on T { b { c ...H } }"
         " fragment H on T { d }", 2, 8),
        ("{ __typename a { __typename b } }", 2, 2),
        ("{ __schema { types { fields { name } } } }", 0, 0),
        ("{ a { b { ...F } } } fragment F on T { __typename }", 2, 2),
        ("{ ...Unknown a }", 1, 1),
        ("{ a } fragment Unused on T { b { c } }", 1, 1),
        ("subscription { a { b } }", 2, 2),
    ],
)  # fmt: skip
def test_what_counts(text: str, depth: int, fields: int) -> None:
    assert cost(text) == Cost(depth, fields)


def test_each_operation_has_its_own() -> None:
    document = parse("query A { a ...F } mutation B { ...F } fragment F on T { b { c } }")
    found = {node.name.value: each for node, each in costs(document) if node.name}
    assert found == {"A": Cost(2, 3), "B": Cost(2, 2)}


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on T { a ...A }",
        "{ ...A } fragment A on T { a ...B } fragment B on T { b ...A }",
        "{ ...A ...B } fragment B on T { b ...A } fragment A on T { a { ...B ...A } }",
    ],
)
def test_cycles_end(text: str) -> None:
    assert cost(text).fields >= 1


def test_fragments_that_double_each_other_are_counted_at_once() -> None:
    last = 400
    parts = [f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} }}" for n in range(last)]
    text = f"{{ ...F0 }} {' '.join(parts)} fragment F{last} on T {{ a }}"
    assert cost(text) == Cost(1, 2**last)


def test_a_deep_document_and_a_long_chain() -> None:
    assert cost("{a" * 100 + "}" * 100) == Cost(100, 100)
    inline = "...{" * 100 + "a" + "}" * 100
    assert cost(f"{{{inline}}}") == Cost(1, 1)
    chain = " ".join(f"fragment F{n} on T {{ a {{ ...F{n + 1} }} }}" for n in range(2_000))
    assert cost(f"{{ ...F0 }} {chain} fragment F2000 on T {{ a }}") == Cost(2_001, 2_001)


# The same, said naively: fragments are written out.


def written_out(document: DocumentNode) -> Cost:
    fragments = {
        each.name.value: each.selection_set
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }

    def of(inside: SelectionSetNode | None) -> tuple[int, int]:
        depth = fields = 0
        for node in inside.selections if inside else ():
            if isinstance(node, FragmentSpreadNode):
                below = of(fragments[node.name.value])
            else:
                below = of(node.selection_set)  # type: ignore[attr-defined]
                if isinstance(node, FieldNode):
                    below = below[0] + 1, below[1] + 1
            depth, fields = max(depth, below[0]), fields + below[1]
        return depth, fields

    return Cost(*of(document.definitions[0].selection_set))  # type: ignore[attr-defined]


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Fragments spread only later ones, so that there are no cycles."""
    number = draw(st.integers(0, 4))

    def selections(later: int) -> st.SearchStrategy[str]:
        spreads = [st.just(f"...F{n}") for n in range(later, number)]
        return st.recursive(
            st.one_of(st.sampled_from(["a", "b: a"]), *spreads),
            lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
                lambda some: st.sampled_from(
                    [f"c {{ {' '.join(some)} }}", f"... on T {{ {' '.join(some)} }}"]
                )
            ),
            max_leaves=6,
        )

    parts = [f"{{ {draw(selections(0))} }}"]
    parts += [f"fragment F{n} on T {{ {draw(selections(n + 1))} }}" for n in range(number)]
    return " ".join(parts)


@given(documents())
def test_the_cost_is_that_of_the_document_written_out(text: str) -> None:
    assert cost(text) == written_out(parse(text))
