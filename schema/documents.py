"""Documents: parsed and validated once, however often they come, within bounds.

The least recently used are forgotten. What was refused is remembered too: a client that
repeats its mistake costs no validation.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator
from sys import getsizeof
from typing import Final

from attrs import frozen
from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    Node,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from incident_manager.actors.errors import ErrorCode
from incident_manager.schema.cost import costs
from incident_manager.schema.errors import Formatted, OperationRefused, format_error, refusal

__all__ = ["DocumentLimits", "Documents", "Statistics", "operations"]

_MOST_ERRORS: Final = 20
_ENTRY: Final = 800  # bytes of what is kept, without its parts
_TOKEN: Final = 450  # of a token, with its part of the tree
_ERROR: Final = 1_300  # of an error
_ABORTED: Final = "Validation aborted."
_TOO_LARGE: Final = ("Document contains more than", "Document is nested too deeply")


@frozen
class DocumentLimits:
    """How large a document may be (contract, section 2). ``bytes`` are of UTF-8.

    ``repeats`` says how often one response name may be written: the time that GraphQL's rule
    on merging fields takes grows with its square. Of depths and complexities (see
    :mod:`~incident_manager.schema.cost`) 0 is no limit. Without ``introspection`` a document
    with ``__schema`` or ``__type`` is not valid.
    """

    bytes: int = 64 * 1024
    tokens: int = 2_000
    aliases: int = 50
    repeats: int = 200
    query_depth: int = 15
    query_complexity: int = 1_000
    subscription_depth: int = 10
    subscription_complexity: int = 100
    introspection: bool = True


@frozen
class Statistics:
    """What the cache holds (``bytes`` are an estimate), and how often it answered."""

    documents: int
    bytes: int
    hits: int
    misses: int


_Kept = DocumentNode | tuple[Formatted, ...]


class Documents:
    """Valid documents by their text: at most ``entries``, of about ``bytes`` altogether.

    ``rules`` are further validation rules; an error of theirs may bring its own
    ``extensions.code``.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        limits: DocumentLimits | None = None,
        *,
        rules: Collection[type[ASTValidationRule]] = (),
        entries: int = 1_000,
        bytes: int = 16 * 1024 * 1024,  # noqa: A002
    ) -> None:
        self._schema = schema
        self._limits = limits or DocumentLimits()
        self._rules = (*specified_rules, *rules)
        if not self._limits.introspection:
            self._rules += (NoSchemaIntrospectionCustomRule,)
        self._entries = entries
        self._bytes = bytes
        self._kept: OrderedDict[str, tuple[_Kept, int]] = OrderedDict()
        self._held = 0
        self._hits = 0
        self._misses = 0

    def statistics(self) -> Statistics:
        """What it holds now."""
        return Statistics(len(self._kept), self._held, self._hits, self._misses)

    def get(self, text: str) -> DocumentNode:
        """The document, valid under the schema and the limits.

        Raises OperationRefused: GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED, and
        COMPLEXITY_LIMITED beyond the limits.
        """
        found = self._kept.get(text)
        if found is None:
            self._misses += 1
            kept = self._read(text)
        else:
            self._hits += 1
            self._kept.move_to_end(text)
            kept = found[0]
        if isinstance(kept, tuple):
            raise OperationRefused(kept)
        return kept

    def _read(self, text: str) -> _Kept:
        self._check_size(text)  # what is too large is not worth remembering
        kept: _Kept
        try:
            kept = self._validated(self._parsed(text))
        except OperationRefused as refused:
            kept = tuple(refused.errors)
        weight = _weight(text, kept)
        self._kept[text] = kept, weight
        self._held += weight
        while len(self._kept) > self._entries or self._held > self._bytes:
            _, (_, weight) = self._kept.popitem(last=False)
            self._held -= weight
        return kept

    def _check_size(self, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise refusal(
                ErrorCode.GRAPHQL_PARSE_FAILED, "The document is not valid Unicode text."
            ) from None
        if size > self._limits.bytes:
            raise _too_much(f"has {size} bytes; at most {self._limits.bytes} are taken")

    def _parsed(self, text: str) -> DocumentNode:
        tokens = self._limits.tokens
        try:
            return parse(text, max_lexical_tokens=tokens, max_comments=tokens)
        except GraphQLSyntaxError as error:
            large = any(sign in error.message for sign in _TOO_LARGE)
            code = ErrorCode.COMPLEXITY_LIMITED if large else ErrorCode.GRAPHQL_PARSE_FAILED
            raise OperationRefused([format_error(error, code)]) from None

    def _validated(self, document: DocumentNode) -> DocumentNode:
        self._check_names(document)
        self._check_costs(document)
        errors = validate(self._schema, document, self._rules, max_errors=_MOST_ERRORS)
        if errors:
            raise OperationRefused(_validation_errors(errors))
        return document

    def _check_names(self, document: DocumentNode) -> None:
        aliases = 0
        names: Counter[str] = Counter()
        for node in _fields(document):
            aliases += node.alias is not None
            names[(node.alias or node.name).value] += 1
        if aliases > self._limits.aliases:
            raise _too_much(f"has {aliases} aliases; at most {self._limits.aliases} are taken")
        for name, times in names.most_common(1):
            if times > self._limits.repeats:
                raise _too_much(f"names {name} {times} times; {self._limits.repeats} at most")

    def _check_costs(self, document: DocumentNode) -> None:
        limits = self._limits
        for operation, cost in costs(document):
            kind = operation.operation
            streams = kind is OperationType.SUBSCRIPTION
            depth = limits.subscription_depth if streams else limits.query_depth
            most = limits.subscription_complexity if streams else limits.query_complexity
            if depth and cost.depth > depth:
                raise _too_much(
                    f"has a {kind.value} of depth {cost.depth}; at most {depth} is taken"
                )
            if most and cost.fields > most:
                raise _too_much(
                    f"has a {kind.value} of more than {most} fields; that is too complex"
                )


def _weight(text: str, kept: _Kept) -> int:
    """About how many bytes are kept, rather too many than too few, as tracemalloc counted them."""
    if isinstance(kept, tuple):
        return getsizeof(text) + _ENTRY + _ERROR * len(kept)
    tokens = 0
    token = None if kept.loc is None else kept.loc.start_token
    while token is not None:  # comments are in this chain, too
        tokens += 1
        token = token.next
    return getsizeof(text) + _ENTRY + _TOKEN * tokens


def _fields(document: DocumentNode) -> Iterator[FieldNode]:
    """Every field as it is written, without recursion: a document may be deep."""
    waiting: list[Node] = list(document.definitions)
    while waiting:
        node = waiting.pop()
        if isinstance(node, FieldNode):
            yield node
        selection_set = getattr(node, "selection_set", None)
        if selection_set is not None:
            waiting += selection_set.selections


def _validation_errors(errors: Iterable[GraphQLError]) -> Iterator[Formatted]:
    for error in errors:
        code = (error.extensions or {}).get("code", ErrorCode.GRAPHQL_VALIDATION_FAILED)
        if error.message == _ABORTED:  # it has run out of stack
            code = ErrorCode.COMPLEXITY_LIMITED
        yield format_error(error, ErrorCode(code))


def _too_much(what: str) -> OperationRefused:
    return refusal(ErrorCode.COMPLEXITY_LIMITED, f"The document {what}.")


def operations(document: DocumentNode) -> list[OperationDefinitionNode]:
    """The operations of a document, in order."""
    return [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
