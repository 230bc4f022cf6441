import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from incident_manager.http.lines import Lines

VALUES = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=4)
names = st.sampled_from(["Host", "host", "Content-Type", "X-Other"])
lines = st.lists(st.tuples(names, VALUES))


@given(lines)
def test_they_say_what_werkzeug_says(given: list[tuple[str, str]]) -> None:
    ours = Lines((name.encode(), value.encode("latin-1")) for name, value in given)
    theirs = Headers()
    for name, value in given:
        theirs.add(name, value)
    for name in ("HOST", "content-type", "X-other", "None"):
        assert ours.get(name) == theirs.get(name)
        assert ours.getlist(name) == theirs.getlist(name)
        assert (name in ours) is (name in theirs)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_the_first_of_a_name_counts(name: str) -> None:
    found = Lines([(b"authorization", b"one"), (b"Authorization", b"two")])
    assert found.get(name) == "one"
    assert found.getlist(name) == ["one", "two"]
