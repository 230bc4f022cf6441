"""The executor: what it relies on in graphql-core, and that it gathers under Trio."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from types import CoroutineType
from typing import Any

import pytest
import trio
from graphql import ExecutionResult, Executor, GraphQLSchema, build_schema, execute, parse

from incident_manager.schema import executor as module
from incident_manager.schema.executor import TrioExecutor, check_graphql_core, dispose, gather

SCHEMA = build_schema(
    """
    type Query { a: String b: String must: String! list: [String] strict: [String!] child: Query }
    type Mutation { first: String second: String }
    """
)


async def run(query: str, root: object, schema: GraphQLSchema = SCHEMA) -> ExecutionResult:
    result = execute(schema, parse(query), root, executor_class=TrioExecutor)
    assert inspect.isawaitable(result)
    return await result


class Meeting:
    """Everybody waits until all have come: only possible for those who run at the same time."""

    def __init__(self, expected: int) -> None:
        self.missing = expected
        self.all_here = trio.Event()

    async def come(self, value: str) -> str:
        self.missing -= 1
        if not self.missing:
            self.all_here.set()
        await self.all_here.wait()
        return value


async def test_fields_are_awaited_at_the_same_time() -> None:
    meeting = Meeting(3)
    root: dict[str, Any] = {
        "a": lambda _info: meeting.come("A"),
        "b": lambda _info: meeting.come("B"),
    }
    root["child"] = {"a": root["a"]}
    result = await run("{ a b child { a } }", root)
    assert (result.data, result.errors) == ({"a": "A", "b": "B", "child": {"a": "A"}}, None)


async def test_items_of_a_list_are_awaited_at_the_same_time() -> None:
    meeting = Meeting(3)
    result = await run("{ list }", {"list": [meeting.come(each) for each in "xyz"]})
    assert (result.data, result.errors) == ({"list": ["x", "y", "z"]}, None)


async def test_items_of_an_async_iterator_are_awaited_at_the_same_time() -> None:
    meeting = Meeting(2)

    async def items(_info: object) -> AsyncIterator[Awaitable[str]]:
        yield meeting.come("x")
        yield meeting.come("y")

    result = await run("{ list }", {"list": items})
    assert (result.data, result.errors) == ({"list": ["x", "y"]}, None)


async def test_a_mutation_is_serial() -> None:
    order: list[str] = []

    def step(name: str) -> Callable[[object], Awaitable[str]]:
        async def resolve(_info: object) -> str:
            order.append(f"{name} begins")
            await trio.lowlevel.checkpoint()
            order.append(f"{name} ends")
            return name

        return resolve

    result = await run("mutation { first second }", {"first": step("1"), "second": step("2")})
    assert result.data == {"first": "1", "second": "2"}
    assert order == ["1 begins", "1 ends", "2 begins", "2 ends"]


async def test_a_failed_field_is_an_error_and_the_others_go_on() -> None:
    meeting = Meeting(2)

    async def fail(_info: object) -> str:
        await meeting.come("")
        raise ValueError("no")

    result = await run("{ a b }", {"a": fail, "b": lambda _info: meeting.come("B")})
    assert result.data == {"a": None, "b": "B"}
    assert [str(e.original_error) for e in result.errors or ()] == ["no"]


async def test_a_failed_field_that_must_not_be_null_cancels_its_siblings() -> None:
    cancelled = trio.Event()
    started = trio.Event()

    async def wait(_info: object) -> str:
        started.set()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.set()
            raise
        raise AssertionError

    async def fail(_info: object) -> str:
        await started.wait()
        raise ValueError("no")

    result = await run("{ a must }", {"a": wait, "must": fail})
    assert result.data is None
    assert cancelled.is_set()


async def test_a_sibling_that_never_began_is_closed() -> None:
    """Whatever the order in which Trio starts them: nothing is left un-awaited."""

    async def value(_info: object) -> str:
        await trio.lowlevel.checkpoint()
        return "x"

    async def fail(_info: object) -> str:
        raise ValueError("no")

    for _ in range(20):
        result = await run("{ a must child { a b } }", {"a": value, "must": fail, "child": {}})
        assert result.data is None


async def test_a_field_that_fails_at_once_closes_what_waits() -> None:
    async def value(_info: object) -> str:
        raise AssertionError("never started")

    def fail(_info: object) -> str:
        raise ValueError("no")

    root = {"a": value, "list": lambda _info: [value(None), value(None)], "must": fail}
    root["child"] = {"a": value, "b": value}  # type: ignore[assignment]
    result = execute(
        SCHEMA, parse("{ a list child { a b } must }"), root, executor_class=TrioExecutor
    )
    assert isinstance(result, ExecutionResult)
    assert result.data is None


async def test_cancellation_from_outside_reaches_every_field() -> None:
    stopped: list[str] = []
    meeting = Meeting(2)

    def resolver(name: str) -> Callable[[object], Awaitable[str]]:
        async def resolve(_info: object) -> str:
            try:
                await meeting.come(name)
                await trio.sleep_forever()
            finally:
                stopped.append(name)
            raise AssertionError

        return resolve

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "{ a b }", {"a": resolver("a"), "b": resolver("b")})
            await meeting.all_here.wait()
            scope.cancel()
    assert scope.cancelled_caught
    assert sorted(stopped) == ["a", "b"]


async def test_gather_gives_results_in_order() -> None:
    async def value(number: int) -> int:
        return number

    assert await gather() == []
    assert await gather(*map(value, range(5))) == [0, 1, 2, 3, 4]
    assert await TrioExecutor.gather_async_work(None, [value(1)]) == [1]  # type: ignore[arg-type]


async def test_gather_raises_the_first_failure_alone() -> None:
    async def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError, match=r"^(a|b)$"):
        await gather(fail("a"), fail("b"))


def test_dispose_closes_what_is_held() -> None:
    async def inner() -> None:
        raise AssertionError("never started")

    held = [inner() for _ in range(5)]
    outer = gather(*held[:2])
    assert isinstance(outer, CoroutineType)
    dispose([outer, {"x": held[2]}, [held[3]], (held[4],), "text", 3])
    assert {inspect.getcoroutinestate(each) for each in held} == {inspect.CORO_CLOSED}
    assert inspect.getcoroutinestate(outer) == inspect.CORO_CLOSED


def test_graphql_core_gathers_where_we_replace_it() -> None:
    check_graphql_core()
    for name in ("gather_async_work", "settle_in_background"):
        assert inspect.isfunction(getattr(Executor, name))
    replaced = {"execute_fields", "complete_iterable_value", "complete_async_iterator_value"}
    gathering = {
        name
        for name, function in vars(Executor).items()
        if inspect.isfunction(function) and module._mentions(function, "gather_with_cancel")
    }
    assert gathering == {*replaced, "gather_async_work"}, "another place gathers with asyncio"


def test_a_graphql_core_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Executor, "execute_fields", lambda *_: None)
    with pytest.raises(ImportError, match=r"does not fit: Executor\.execute_fields"):
        check_graphql_core()
