import time

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.roles import Role
from incident_manager.http.api_keys import ApiKeys, check_name, new_key, read_entries, read_entry
from incident_manager.http.principal import LAST_INSTANT, AuthError, can_confine

HASH = "sha256:" + "0" * 64


@given(
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?", fullmatch=True),
    st.sampled_from(Role),
    st.none() | st.integers(1, LAST_INSTANT),
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0"), min_size=1).filter(str.strip),
        st.text(st.characters(exclude_characters="\0")),
        max_size=3,
    ).filter(can_confine),  # of others no key is made
)
def test_what_is_written_is_read(
    name: str, role: Role, expires_at: int | None, selectors: dict[str, str]
) -> None:
    text, key = new_key(name, role, expires_at=expires_at, selectors=selectors)
    assert text.startswith(f"lim_{name}_")
    entry = key.entry()
    assert not set(entry) & set(",\"'\\\n")
    assert text.rpartition("_")[2] not in entry
    assert read_entry(name, entry) == key
    assert read_entries({name: entry}) == {name: key}


def test_no_two_keys_are_alike() -> None:
    assert len({new_key("ci", Role.VIEWER)[0] for _ in range(100)}) == 100


def test_a_key_is_known_again() -> None:
    text, key = new_key("my_ci", Role.RESPONDER)
    other, _ = new_key("my_ci", Role.ADMIN)
    keys = ApiKeys({key.name: key})
    principal = keys.verify(f" {text} ")
    assert (principal.name, principal.role) == ("api-key:my_ci", Role.RESPONDER)
    assert principal.api_key == key.digest.hex()
    for bad in (other, text[:-1], text + "0", text.replace("lim_", ""), "", "\ud800", "é" * 50):
        with pytest.raises(AuthError, match="not valid") as caught:
            keys.verify(bad)
        assert not bad or bad not in str(caught.value)
    assert "digest" not in repr(key)


@given(st.text())
def test_no_text_is_a_key(text: str) -> None:
    _, key = new_key("a", Role.ADMIN)
    with pytest.raises(AuthError):
        ApiKeys({"a": key}).verify(text)


def test_an_expired_key() -> None:
    text, key = new_key("ci", Role.VIEWER, expires_at=time.time() - 1)
    with pytest.raises(AuthError, match="has expired"):
        ApiKeys({"ci": key}).verify(text)


def test_a_principal_goes_with_its_key() -> None:
    text, key = new_key("ci", Role.VIEWER)
    keys = ApiKeys({"ci": key})
    principal = keys.verify(text)
    assert keys.holds(principal)
    keys.learn({"ci": key, "b": new_key("b", Role.VIEWER)[1]})
    assert keys.holds(principal)
    # One that leaked is replaced by another of the same name and role.
    keys.learn({"ci": new_key("ci", Role.VIEWER)[1]})
    assert not keys.holds(principal)
    keys.learn({"ci": evolve(key, role=Role.ADMIN)})
    assert not keys.holds(principal)
    keys.learn({})
    assert not keys.holds(principal)
    assert len(keys) == 0


@pytest.mark.parametrize("name", ["", "-a", "a_", "a.b", "a b", "é", "x" * 65, "a\n"])
def test_names_that_no_key_has(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        check_name(name)
    with pytest.raises(ValueError, match="name"):
        read_entry(name, f"VIEWER {HASH}")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "no role"),
        ("ROOT hunter2", "no role"),
        ("VIEWER", "no hash"),
        ("VIEWER sha256:hunter2", "no hash"),
        (f"VIEWER {HASH.upper()}", "no hash"),
        (f"VIEWER {HASH} expires:soon", "no time"),
        (f"VIEWER {HASH} expires:2027-01-31T00:00:00", "no time"),
        (f"VIEWER {HASH} tenant", "no label=value"),
        (f"VIEWER {HASH} =x", "no label=value"),
        (f"VIEWER {HASH} a=b a=c", "twice"),
        (f"VIEWER {HASH} a=b expires:2027-01-31T00:00:00Z", "no label=value"),
    ],
)
def test_entries_that_are_none(entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_entry("ci", entry)
    assert "hunter2" not in str(caught.value)
    assert "'ci'" in str(caught.value)
