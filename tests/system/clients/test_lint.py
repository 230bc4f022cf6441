"""Each example client is clean by its own language's compiler and linter."""

import shutil
import sys

import pytest

from system.clients.programs import CACHE, EXAMPLES, call, npm

pytestmark = pytest.mark.slow


@pytest.mark.component("node")
def test_typescript() -> None:
    place = npm(EXAMPLES, CACHE / "node")
    for name in ("tsconfig.json", "typescript-client.ts"):
        shutil.copy(EXAMPLES / name, place)
    call("npx", "--offline", "tsc", "--noEmit", "--strict", cwd=place)


@pytest.mark.parametrize("name", ["python-client.py", "python-asyncio-client.py"])
def test_python(name: str) -> None:
    call(sys.executable, "-m", "mypy", "--strict", name)
    call(sys.executable, "-m", "ruff", "check", name)


@pytest.mark.component("go")
def test_go() -> None:
    call("go", "vet", "go-client.go", GOFLAGS="-mod=readonly")
    call("go", "mod", "verify")
    assert call("gofmt", "-l", "go-client.go") == ""


@pytest.mark.component("cargo")
def test_rust() -> None:
    target = str(CACHE / "cargo")
    flags = ("--locked", "--quiet", "--", "-D", "warnings")
    call("cargo", "clippy", *flags, CARGO_TARGET_DIR=target)
    call("cargo", "fmt", "--check")
