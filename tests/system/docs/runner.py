"""Runs the blocks of one document, in order, against one server."""

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import graphql

from incident_manager.http.cli import banner
from incident_manager.http.config import load_settings
from incident_manager.http.settings import Settings
from incident_manager.schema.build import sdl
from system.client import Client, Closed, connected
from system.docs.blocks import Block
from system.docs.likeness import Likeness
from system.docs.terminal import Terminal, opened
from system.harness import run

__all__ = ["CLIENT", "NOT_RUN", "PICTURE", "Reader", "reading"]

NOT_RUN = "not run: "
PICTURE = "picture"
CLIENT = "client: "
_SHELL = frozenset({"sh", "bash"})
_CLOSES = re.compile(r"closes (?P<code>\d{4})")


class Reader:
    """Somebody who does what a document says, from its first block to its last."""

    def __init__(self, terminal: Terminal, stack: AsyncExitStack) -> None:
        self.terminal = terminal
        self._stack = stack
        self._likeness = Likeness()
        self._printed = ""
        self._socket: Client | None = None
        self._document: graphql.DocumentNode | None = None
        self._result: object = None

    async def do(self, block: Block) -> None:
        """Run, send, compare or check a block; an AssertionError says what is not so."""
        mark, language = block.mark, block.language
        if mark == "output":
            self._likeness.check_text(block.text, self._shown(self._printed))
        elif mark == "output of wscat":
            for value in _values(block.text):
                self._likeness.check(value, json.loads(await self.terminal.wscat_line()))
        elif mark == "banner":
            self._likeness.check_text(block.text, banner(Settings()))
        elif mark == PICTURE or mark.startswith(CLIENT):
            pass
        elif mark.startswith("file: "):
            self._file(block, mark.removeprefix("file: "))
        elif language in _SHELL:
            await self._shell(block)
        elif language == "python":
            await self._python(block)
        elif language == "graphql":
            await self._graphql(block)
        elif language == "json":
            await self._json(block)
        else:
            raise AssertionError(f"{block.place}: nobody knows what to do with {language!r}")

    def _shown(self, text: str) -> str:
        return text.replace(f"127.0.0.1:{self.terminal.server.place.port}", "localhost:8080")

    async def _shell(self, block: Block) -> None:
        text = self._likeness.fill(block.text)
        if text.lstrip().startswith("npx wscat"):
            await self.terminal.watch(text)
        else:
            self._printed = await self.terminal.run(text)

    async def _python(self, block: Block) -> None:
        name = f"line-{block.line}.py"
        text = self._likeness.fill(block.text)
        (self.terminal.directory / name).write_text(self.terminal.real(text))
        self._printed = await self.terminal.run(f"{sys.executable} {name}")

    def _file(self, block: Block, name: str) -> None:
        (self.terminal.directory / name).write_text(self.terminal.real(block.text))
        if block.language == "toml":
            load_settings({"config": name}, {}, lambda _name: block.text.encode())

    # --- messages of the protocol ---

    async def _json(self, block: Block) -> None:
        given = self._likeness.fill(await self.terminal.expand(block.text))
        value = json.loads(given)
        closes = _CLOSES.search(block.mark)
        if block.mark.startswith("send") or closes:
            if self._socket is None or "new connection" in block.mark:
                self._socket = await self._connect()
            await self._socket.send_text(json.dumps(value))
            if closes is not None:
                closed = await self._socket.closed()
                assert closed.code == int(closes["code"]), closed
                self._socket = None
        elif block.mark == "receive":
            self._likeness.check(json.loads(block.text), await self._received())
        elif block.mark == "variables":
            await self._execute(value)
        elif block.mark == "result":
            self._likeness.check(json.loads(block.text), self._result)
        else:
            raise AssertionError(f"{block.place}: a comment must say what this is")

    async def _connect(self) -> Client:
        return await self._stack.enter_async_context(_quietly(self.terminal.server.place.ws))

    async def _received(self) -> object:
        assert self._socket is not None
        return await self._socket.read()

    # --- GraphQL ---

    async def _graphql(self, block: Block) -> None:
        document = graphql.parse(block.text)
        kinds = {type(node) for node in document.definitions}
        if graphql.OperationDefinitionNode not in kinds:
            _check_definitions(document)
            return
        errors = graphql.validate(graphql.build_schema(sdl()), document)
        assert not errors, f"{block.place}: {errors}"
        self._document = document
        [operation] = [
            each
            for each in document.definitions
            if isinstance(each, graphql.OperationDefinitionNode)
        ]
        required = [
            each
            for each in operation.variable_definitions or ()
            if isinstance(each.type, graphql.NonNullTypeNode) and each.default_value is None
        ]
        if not required:
            await self._execute(None)

    async def _execute(self, variables: dict[str, object] | None) -> None:
        """Execute the document, as a client of its own; a subscription is begun and ended."""
        assert self._document is not None
        text = graphql.print_ast(self._document)
        async with connected(self.terminal.server.place.ws) as client:
            await client.init({"Authorization": await self.terminal.expand("Bearer $TOKEN")})
            name = await client.begin(text, variables)
            if "subscription" in text:
                await client.ping()
                assert not client.kept, client.kept
                await client.send("complete", id=name)
            else:
                self._result = await client.next(name)


def _values(text: str) -> Iterator[object]:
    """The JSON values of a text, one behind the other, whatever lines they are on."""
    decoder, place, text = json.JSONDecoder(), 0, text.strip()
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        yield value
        place += len(text[place:]) - len(text[place:].lstrip())


def _check_definitions(document: graphql.DocumentNode) -> None:
    """What a document shows of the schema must be in it, word by word, descriptions aside."""
    real = {
        node.name.value: _bare(node)
        for node in graphql.parse(sdl()).definitions
        if isinstance(node, graphql.TypeDefinitionNode)
    }
    for node in document.definitions:
        assert isinstance(node, graphql.TypeDefinitionNode), node
        assert real.get(node.name.value) == _bare(node), (
            f"{node.name.value} is not so in the schema"
        )


def _bare(node: graphql.Node) -> str:
    class _Strip(graphql.Visitor):
        def enter(self, node: graphql.Node, *_rest: object) -> graphql.Node | None:
            if getattr(node, "description", None) is None:
                return None
            parts = {key: getattr(node, key) for key in node.keys}
            return node.__class__(**{**parts, "description": None})

    return graphql.print_ast(graphql.visit(node, _Strip()))


@asynccontextmanager
async def _quietly(url: str) -> AsyncIterator[Client]:
    """A WebSocket that its document may have closed by now."""
    try:
        async with connected(url) as client:
            yield client
    except Closed:
        pass


@asynccontextmanager
async def reading(directory: Path, wscat: Path | None) -> AsyncIterator[Reader]:
    """A reader with a fresh server, a terminal, and nothing else."""
    async with (
        run(directory) as server,
        opened(server, wscat) as terminal,
        AsyncExitStack() as stack,
    ):
        yield Reader(terminal, stack)
