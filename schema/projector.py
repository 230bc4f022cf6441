"""Events into payloads: one GraphQL execution for a shape, however many subscribe."""

from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import msgspec
from attrs import frozen
from graphql import GraphQLError, parse
from graphql.execution.collect_fields import GroupedFieldSet, collect_fields

from incident_manager.actors.confined import view_of
from incident_manager.actors.journal.base import JournalUnavailable, View
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.ports import Shape
from incident_manager.actors.selectors import seen
from incident_manager.actors.veil import Veils
from incident_manager.schema.build import schema
from incident_manager.schema.context import Context, new_context
from incident_manager.schema.errors import Formatted, format_error, refusal_of, root_cause
from incident_manager.schema.events import Source, heartbeat, source_of
from incident_manager.schema.executor import dispose
from incident_manager.schema.plain import PlainExecutor
from incident_manager.schema.services import Sources, Store
from incident_manager.schema.shape import GraphQLShape
from incident_manager.schema.tally import DELIVERY

__all__ = ["GraphQLProjector"]

_encode: Final = msgspec.json.Encoder().encode


class _Plan:
    """A shape's executor, and its root fields, collected once.

    graphql-core remembers what it collected below by the identity of these, so they must stay.
    """

    __slots__ = ("_executor", "_grouped", "_root")

    def __init__(self, shape: GraphQLShape) -> None:
        built = PlainExecutor.build(schema, parse(shape.document))
        executor = cast(PlainExecutor, built)  # no errors: the shape was made of what is valid
        root = schema.subscription_type
        assert root is not None  # noqa: S101 -- the schema has subscriptions
        self._executor = executor
        self._root = root
        self._grouped: GroupedFieldSet = collect_fields(
            schema, executor.fragments, executor.variable_values, root, executor.operation
        ).grouped_field_set

    def execute(
        self, source: Source, context: Context[Sources] | None
    ) -> tuple[PlainExecutor, Any]:
        """Execute for one event: an executor with the field errors, and the data.

        The data is null where the root field itself failed. Relations need a context.
        """
        executor = cast(PlainExecutor, self._executor.build_per_event_executor(source))
        executor.context_value = context
        try:
            return executor, executor.execute_collected_root_fields(
                self._root, source, self._grouped, False, ()
            )
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            return executor, None


class GraphQLProjector:
    """The projector (see ``actors.ports``). ``executions`` counts executions of GraphQL."""

    def __init__(self, store: Store) -> None:
        self.executions = 0
        self._store = store
        self._veils = Veils()
        self._plans: WeakKeyDictionary[Shape, _Plan] = WeakKeyDictionary()

    def project(self, shape: Shape, record: Record, cursor: str) -> bytes:
        """The payload of an event in a shape that is not deep.

        Raises ValueError for an event that is not one of the shape's stream.
        """
        return self._now(shape, _source(shape, record), cursor)

    def heartbeat(self, shape: Shape, now: Micros, cursor: str) -> bytes:
        """The payload of a HEARTBEAT at a time, in a shape of ``incidentUpdates``."""
        return self._now(shape, heartbeat(now), cursor)

    async def project_deep(self, shape: Shape, record: Record, cursor: str) -> bytes:
        """The payload of an event in any shape; its relations are as of now.

        Raises JournalUnavailable where a relation cannot be read now: what is missing for a
        moment is not delivered as if it were not there. Where relations grow beyond all bounds,
        the payload has no data and one error, COMPLEXITY_LIMITED.
        """
        source = _source(shape, record)
        context = new_context(self._sources_of(shape), DELIVERY)
        executor, data = self._begin(shape, source, context)
        if executor.is_awaitable(data):
            tally = context.loaders.tally
            with tally.bounded():
                try:
                    data = await data
                except GraphQLError as failed:
                    executor.collected_errors.add(failed, None)
                    data = None
            if tally.exceeded is not None:
                return _payload(None, refusal_of(tally.exceeded).errors, cursor)
        for error in executor.collected_errors.errors:
            cause = root_cause(error)
            if isinstance(cause, JournalUnavailable):
                raise cause
        return _payload(data, _errors(executor), cursor)

    def _sources_of(self, shape: Shape) -> Sources:
        """Where the relations are read from: what is not theirs, subscribers do not get."""
        return _Own(view_of(self._store.journal, shape.selectors, self._veils))

    def _now(self, shape: Shape, source: Source, cursor: str) -> bytes:
        executor, data = self._begin(shape, source, None)
        if executor.is_awaitable(data):
            dispose([data])
            raise TypeError(f"{shape.field.value} cannot be projected without waiting")
        return _payload(data, _errors(executor), cursor)

    def _begin(
        self, shape: Shape, source: Source, context: Context[Sources] | None
    ) -> tuple[PlainExecutor, Any]:
        self.executions += 1
        plan = self._plans.get(shape)
        if plan is None:
            assert isinstance(shape, GraphQLShape)  # noqa: S101 -- http makes no others
            plan = self._plans[shape] = _Plan(shape)
        return plan.execute(source, context)


@frozen
class _Own:
    """What some subscribers see of the journal."""

    journal: View


def _source(shape: Shape, record: Record) -> Source:
    """The object that is delivered, as those see it who are confined to the shape's selectors."""
    shown = seen(record, shape.selectors)
    if shown is None:
        raise ValueError(f"event {record.offset} is none of theirs")
    return source_of(shape.field, shown)


def _errors(executor: PlainExecutor) -> list[Formatted]:
    return [format_error(error) for error in executor.collected_errors.errors]


def _payload(data: Any, errors: list[Formatted], cursor: str) -> bytes:
    """``extensions`` is the last member, and ``cursor`` its only one (see ``ports.extend``)."""
    failed = b',"errors":' + _encode(errors) if errors else b""
    place = _encode(cursor)
    return b'{"data":' + _encode(data) + failed + b',"extensions":{"cursor":' + place + b"}}"
