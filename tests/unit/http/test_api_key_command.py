from pathlib import Path

import pytest

from incident_manager.actors.roles import Role
from incident_manager.http.api_key_file import read_keys
from incident_manager.http.api_keys import ApiKeys, new_key, read_entry
from incident_manager.http.cli import main


class Shell:
    """The command with these variables, and what it printed."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.file = tmp_path / "keys.toml"
        monkeypatch.delenv("LIM_CONFIG", raising=False)
        monkeypatch.setenv("LIM_AUTH_API_KEYS_FILE", str(self.file))

    def run(self, *words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["api-key", *words])
        out, err = self.capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out.strip(), err.strip()


@pytest.fixture
def shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Shell:
    return Shell(monkeypatch, capsys, tmp_path)


def test_a_key_is_made_listed_and_revoked(shell: Shell) -> None:
    code, key, err = shell.run(
        "create", "ci", "--role", "admin", "--expires", "2199-01-31", "--selector", "tenant=a b"
    )
    assert code == 0
    assert key not in err
    principal = ApiKeys(read_keys(shell.file)).verify(key)
    assert (principal.role, principal.selectors) == (Role.ADMIN, {"tenant": "a b"})
    assert shell.run("list") == (0, "ci  ADMIN  expires 2199-01-31T00:00:00Z  tenant=a b", "")
    assert shell.run("revoke", "ci") == (0, "", "ci is revoked")
    assert shell.run("list") == (0, "", "")


def test_without_a_file_the_line_for_the_settings_is_shown(shell: Shell) -> None:
    shell.monkeypatch.delenv("LIM_AUTH_API_KEYS_FILE")
    code, key, err = shell.run("create", "ci", "--role", "VIEWER", "--expires", "90d")
    assert code == 0
    head, line = err.splitlines()
    assert head == "[auth.api_keys]"
    name, _, entry = line.partition(" = ")
    assert ApiKeys({"ci": read_entry(name, entry.strip('"'))}).verify(key).role is Role.VIEWER


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "a.b", "--role", "VIEWER"], "NAME: 'a.b' is not a name"),
        (["create", "one", "--role", "VIEWER"], "has 'one' already; revoke it first"),
        (["create", "old", "--role", "VIEWER"], "auth.api_keys has 'old' already"),
        (["create", "a", "--role", "ROOT"], "Invalid value for '--role'"),
        (["create", "a", "--role", "VIEWER", "--expires", "soon"], "--expires: 'soon' is neither"),
        (["create", "a", "--role", "VIEWER", "--expires", "2001-01-01"], "not in the future"),
        (["create", "a", "--role", "VIEWER", "--expires", "0"], "not in the future"),
        (["create", "a", "--role", "VIEWER", "--selector", "x"], "--selector: 'x' is not"),
        (["create", "a", "--role", "VIEWER", "--selector", " =1"], "--selector: nothing can bear"),
        (
            ["create", "a", "--role", "VIEWER", "--selector", "x=1", "--selector", "x=2"],
            "is given twice",
        ),
        (["revoke", "two"], "has no key 'two'"),
        (["revoke", "old"], "is in auth.api_keys: take it out of there"),
    ],
)
def test_mistakes_are_one_line(shell: Shell, words: list[str], message: str) -> None:
    assert shell.run("create", "one", "--role", "VIEWER")[0] == 0
    entry = new_key("old", Role.VIEWER)[1].entry()
    shell.monkeypatch.setenv("LIM_AUTH_API_KEYS", f"old={entry}")
    code, out, err = shell.run(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert list(read_keys(shell.file)) == ["one"]


def test_a_file_that_cannot_be_used(shell: Shell) -> None:
    shell.file.write_text("hunter2")
    for words in (["list"], ["revoke", "a"], ["create", "a", "--role", "VIEWER"]):
        code, _, err = shell.run(*words)
        assert code == 2
        assert "is not TOML" in err
        assert "hunter2" not in err
    shell.monkeypatch.setenv("LIM_AUTH_API_KEYS_FILE", str(shell.file / "no"))
    assert "cannot write" in shell.run("revoke", "a")[2]
    shell.monkeypatch.delenv("LIM_AUTH_API_KEYS_FILE")
    assert "auth.api_keys_file is not set" in shell.run("revoke", "a")[2]
