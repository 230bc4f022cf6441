import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.journal.words import Wanted, mark, searched, wanted, words
from unit.actors.builders import make_incident


class TestWords:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ""),
            (" - _ \0 \ud800", ""),
            ("Disk full: /dev/sda1 (95%)", "disk full dev sda1 95"),
            ("snake_case kebab-case", "snake case kebab case"),
            ("ÜBERLAUF überlauf U\u0308berlauf", "uberlauf uberlauf uberlauf"),
            ("Straße \U0001d400 ﬁle", "strasse a file"),
            ("Диск 磁盘", "диск 磁盘"),
            ("x" * 100, "x" * 64),
        ],
    )
    def test_letters_and_digits_without_case_and_marks(self, text: str, expected: str) -> None:
        assert words(text) == expected

    @given(st.text())
    def test_nothing_else_is_left(self, text: str) -> None:
        found = words(text)
        assert found == " ".join(found.split())
        for word in found.split():
            assert 1 <= len(word) <= 64
            assert word.isalnum()
            # SQLite's own tokenizer leaves them as they are.
            assert not any("A" <= letter <= "Z" for letter in word)

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_composed_or_not_is_the_same(self, text: str) -> None:
        assert words(unicodedata.normalize("NFD", text)) == words(
            unicodedata.normalize("NFC", text)
        )


class TestMark:
    def test_it_is_one_word(self) -> None:
        assert words(mark("tenant", "acme")) == mark("tenant", "acme")

    @given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
    def test_it_is_that_of_one_pair(self, key: str, value: str, other: str, another: str) -> None:
        try:
            marks = mark(key, value), mark(other, another)
        except ValueError:
            assert any("\ud800" <= each <= "\udfff" for each in key + value + other + another)
            return
        assert (marks[0] == marks[1]) == ((key, value) == (other, another))

    def test_what_cannot_be_written_has_none(self) -> None:
        with pytest.raises(ValueError, match="surrogates"):
            mark("a", "\ud800")


def test_what_an_incident_is_found_by() -> None:
    incident = make_incident(
        1, title="Disk full", description="The WAL", source="db-1", labels={"team": "Core"}
    )
    assert searched(incident) == ("disk full", "the wal db 1 core")


class TestWanted:
    def test_the_last_word_may_be_a_beginning(self) -> None:
        assert wanted("Disk FU") == Wanted(("disk",), "fu")
        assert wanted("disk f") == Wanted(("disk", "f"), None)
        assert not wanted(" - ")

    def test_there_is_an_end(self) -> None:
        assert len(wanted("a " * 32).words) == 32
        with pytest.raises(ValueError, match="query has 33 words"):
            wanted("a " * 33)

    def test_all_of_it_must_be_there(self) -> None:
        asked = Wanted(("disk",), "fu")
        assert asked.found_in(["full", "disk"])
        assert not asked.found_in(["disk"])
        assert not asked.found_in(["disks", "full"])
        assert Wanted(("disk",), None).found_in(["disk"])
