"""The reference: all of the schema is in it, and its links lead somewhere."""

import re

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType

from incident_manager.schema.build import schema
from incident_manager.schema.reference import reference

TEXT = reference()
HEADINGS = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)


def section(title: str) -> str:
    _, _, rest = TEXT.partition(f"# {title}\n")
    assert rest, title
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_every_type_with_all_its_members_is_in_it() -> None:
    roots = {"Query": "Queries", "Mutation": "Mutations", "Subscription": "Subscriptions"}
    for name, kind in schema.type_map.items():
        if name.startswith("__") or name in ("String", "Int", "Boolean"):
            continue
        text = section(roots.get(name, name))
        if isinstance(kind, GraphQLObjectType | GraphQLInputObjectType):
            for field, each in kind.fields.items():
                row = rf"(?m)^\| `{field}\W.*`{re.escape(str(each.type))}`"
                assert re.search(row, text), f"{name}.{field}"
        elif isinstance(kind, GraphQLEnumType):
            assert re.findall(r"^\| `(\w+)`", text, re.MULTILINE) == [*kind.values]
        if kind.description:
            assert kind.description in text


def test_arguments_are_told_with_their_defaults() -> None:
    assert "`timeline(first: Int = 50, after: String)`" in section("Incident")
    assert "`activeOnly`: Only incidents that are" in section("Subscriptions")
    assert "| `order = DESC` | [`SortOrder`](#sortorder) |" in section("IncidentSortInput")


def test_links_lead_to_a_heading_of_their_own() -> None:
    slugs = [heading.lower().replace(" ", "-") for heading in HEADINGS]
    assert len(slugs) == len(set(slugs))
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links <= set(slugs)
    assert {"incident", "pageinfo", "limits"} <= links


def test_roles_and_limits() -> None:
    assert "They need the role VIEWER." in section("Subscriptions")
    assert "They need the role RESPONDER." in section("Mutations")
    assert "| Fields of a subscription | 100 | `limits.subscription_complexity` |" in TEXT
    assert "| Depth of a query or mutation | 15 | `limits.query_depth` |" in TEXT
    assert "| Objects in relations of one answer | 50,000 | |" in TEXT


def test_tables_are_whole() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        assert len({line.count(" |") for line in table.splitlines()}) == 1, table
