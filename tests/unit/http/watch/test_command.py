import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from incident_manager.http.cli import cli
from incident_manager.http.watch import command
from incident_manager.http.watch.model import Wanted


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What would be watched, instead of watching it."""
    found: dict[str, Any] = {}

    async def show(url: str, token: str | None, wanted: Wanted, **how: bool) -> None:
        found.update(url=url, token=token, wanted=wanted, **how)

    monkeypatch.setattr(command, "_show", show)
    return found


def invoke(*args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["watch", *args], env={"LIM_TOKEN": None, **(env or {})})
    return result.exit_code, result.output


def test_by_default_it_is_all_that_is_active_here(asked: dict[str, Any]) -> None:
    assert invoke() == (0, "")
    assert asked == {
        "url": "ws://localhost:8080/graphql/ws",
        "token": None,
        "wanted": Wanted(),
        "once": False,
        "as_json": False,
    }


def test_every_option(asked: dict[str, Any]) -> None:
    args = ("--severity", "p0,P1", "--severity", "P2", "--state", "new", "--source", "a, b",
            "--label", "x=1", "--label", "y=a=b", "--all", "--once", "--json")  # fmt: skip
    assert invoke(*args, "--url", "wss://h/x", "--token", "t") == (0, "")
    assert (asked["url"], asked["token"], asked["once"], asked["as_json"]) == (
        "wss://h/x",
        "t",
        True,
        True,
    )
    assert asked["wanted"] == Wanted(
        ("P0", "P1", "P2"), ("NEW",), ("a", "b"), {"x": "1", "y": "a=b"}, active_only=False
    )


@pytest.mark.parametrize("state", ["RESOLVED", "new,closed"])
def test_who_asks_for_resolved_ones_wants_to_see_them(asked: dict[str, Any], state: str) -> None:
    invoke("--state", state)
    assert not asked["wanted"].active_only


def test_the_token_may_be_in_the_environment(asked: dict[str, Any]) -> None:
    invoke(env={"LIM_TOKEN": "t"})
    assert asked["token"] == "t"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://h:8080", "ws://h:8080/graphql/ws"),
        ("https://h", "wss://h/graphql/ws"),
        ("https://h/", "wss://h/graphql/ws"),
        ("ws://h:1/graphql", "ws://h:1/graphql"),
    ],
)
def test_an_address_as_it_stands_in_a_browser_will_do(
    asked: dict[str, Any], given: str, url: str
) -> None:
    invoke("--url", given)
    assert asked["url"] == url


@pytest.mark.parametrize(
    ("option", "value", "text"),
    [
        ("--severity", "P9", "'P9' is none of P0, P1, P2, P3, P4"),
        ("--state", "open", "'open' is none of NEW"),
        ("--label", "x", "name=value"),
        ("--label", "=1", "name=value"),
        ("--url", "localhost:8080", "is not a URL like"),
        ("--url", "ftp://h/", "is not a URL like"),
    ],
)
def test_a_mistake_names_its_option(
    asked: dict[str, Any], option: str, value: str, text: str
) -> None:
    code, output = invoke(option, value)
    assert code == 2
    assert f"Invalid value for '{option}'" in output
    assert text in re.sub(r"\s+", " ", output)
    assert not asked


def completed(*words: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", "from incident_manager.http.cli import main; main()"],
        env={
            **os.environ,
            "_INCIDENT_MANAGER_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("incident-manager", *words)),
            "COMP_CWORD": str(len(words)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.partition(",")[2] for line in ran.stdout.splitlines()]


def test_a_shell_completes_commands_and_options() -> None:
    assert completed("wa") == ["watch"]
    assert "--severity" in completed("watch", "--se")
    assert completed("completion", "z") == ["zsh"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_each_shell(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert f"_INCIDENT_MANAGER_COMPLETE={shell}_complete" in result.output


@pytest.mark.component("bash")
def test_bash_takes_it() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    code = CliRunner().invoke(cli, ["completion", "bash"]).output
    ran = subprocess.run(
        [bash, "-c", f"{code}\ncomplete -p incident-manager"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_incident_manager_completion" in ran.stdout


def test_the_same_code_by_the_variable_that_click_documents() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from incident_manager.http.cli import main; main()"],
        env={**os.environ, "_INCIDENT_MANAGER_COMPLETE": "bash_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.rstrip() == CliRunner().invoke(cli, ["completion", "bash"]).output.rstrip()
