from pathlib import Path

import pytest

from incident_manager.actors.roles import Role
from incident_manager.http.api_key_file import ApiKeyFile, read_keys, rewriting
from incident_manager.http.api_keys import new_key


def test_where_there_is_no_file_there_are_no_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.toml") == {}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    _, one = new_key("one", Role.ADMIN, expires_at=4e9, selectors={"a,\"'": "=\\ \n"})
    _, two = new_key("two", Role.VIEWER)
    with rewriting(path) as keys:
        keys["one"] = one
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with rewriting(path) as keys:
        assert keys == {"one": one}
        keys["two"] = two
    assert read_keys(path) == {"one": one, "two": two}
    assert path.stat().st_mode & 0o777 == 0o640  # as its owner has it


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    with rewriting(path) as keys:
        keys["one"] = new_key("one", Role.ADMIN)[1]
    before = path.read_bytes()

    def fail() -> None:
        with rewriting(path) as keys:
            keys.clear()
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a", "is not TOML"),
        (b"\xff", "is not TOML"),
        (b"a = 1", "something else than lines"),
        (b"[a]\nb = 'c'", "something else than lines"),
        (b"a = 'VIEWER hunter2'", "has for 'a' no hash"),
        (b"#" * (5 * 1024 * 1024), "is longer than"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_keys(path)
    assert "hunter2" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read_keys(tmp_path)


def test_what_cannot_be_taken_is_said(tmp_path: Path) -> None:
    def refuse(_keys: object) -> None:
        raise ValueError("has 'ci', which auth.api_keys has too")

    file = ApiKeyFile(tmp_path / "keys.toml", refuse)
    assert file.failure is None
    file.take({})
    assert file.failure == "has 'ci', which auth.api_keys has too"
    assert file.statistics() == {"failure": file.failure}
