"""Peers are built anew when their sources change, and their lock files name what is measured."""

import re
from pathlib import Path

import pytest

from load import rivals
from load.rivals import LIMIT, OURS, RIVALS, Rival

each = pytest.mark.parametrize("rival", RIVALS, ids=lambda rival: rival.key)
_FOLDER = Path(rivals.__file__).parent / "peers"


def test_keys_differ_and_the_limit_is_one() -> None:
    keys = [OURS, *(rival.key for rival in RIVALS)]
    assert len(set(keys)) == len(keys)
    assert LIMIT in keys


@each
def test_the_lock_file_has_a_version_of_each_package(rival: Rival) -> None:
    text = (_FOLDER / rival.key / rival.lock).read_text()
    for package, pattern in rival.packages.items():
        found = re.search(pattern, text)
        assert found is not None, package
        assert found[1][0].isdigit()


@each
def test_no_lock_file_names_a_host_of_packages(rival: Rival) -> None:
    text = (_FOLDER / rival.key / rival.lock).read_text()
    assert '"resolved"' not in text
    assert "--index-url" not in text


def _small(key: str, steps: tuple[tuple[str, ...], ...]) -> Rival:
    return Rival(
        key=key,
        name="small",
        cores="one",
        needs=(),
        steps=steps,
        command=("true",),
        lock="lock",
        packages={"part": r"part (\S+)"},
        runtime=("echo", "runtime 1"),
    )


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of sources and of builds, with one source."""
    monkeypatch.setattr(rivals, "_PEERS", tmp_path / "peers")
    monkeypatch.setattr(rivals, "CACHE", tmp_path / "cache")
    (tmp_path / "peers" / "small").mkdir(parents=True)
    (tmp_path / "peers" / "small" / "lock").write_text("part 1.2\n")
    return tmp_path


def test_what_stands_is_not_built_again_until_a_source_or_a_step_changes(places: Path) -> None:
    rival = _small("small", (("sh", "-c", "echo once >> log"),))
    said: list[str] = []
    assert not rivals.built(rival)
    rivals.build(rival, said.append)
    rivals.build(rival, said.append)
    assert rivals.built(rival)
    assert (rival.home / "log").read_text() == "once\n"
    assert len(said) == 1
    (places / "peers" / "small" / "new").write_text("source")
    assert not rivals.built(rival)
    rivals.build(rival, said.append)
    assert (rival.home / "new").read_text() == "source"
    assert not rivals.built(_small("small", (("true",),)))


def test_a_step_that_fails_says_what_it_printed_and_nothing_stands(places: Path) -> None:
    rival = _small("small", (("sh", "-c", "echo no such thing; exit 1"),))
    with pytest.raises(RuntimeError, match="no such thing"):
        rivals.build(rival, [].append)
    assert not rivals.built(rival)


def test_versions_are_those_of_the_lock_file_and_of_the_runtime(places: Path) -> None:
    rival = _small("small", ())
    rivals.build(rival, [].append)
    assert rivals.versions(rival) == "part 1.2, runtime 1"
    (places / "peers" / "small" / "lock").write_text("another 3\n")
    with pytest.raises(ValueError, match="part"):
        rivals.versions(rival)


def test_programs_that_are_not_there_are_named() -> None:
    rival = _small("small", ())
    assert rivals.missing(rival) == []
    absent = Rival(
        **{name: getattr(rival, name) for name in ("key", "name", "cores", "steps", "command")},
        needs=("sh", "no-such-program-here"),
        lock="lock",
        packages={},
        runtime=("true",),
    )
    assert rivals.missing(absent) == ["no-such-program-here"]
