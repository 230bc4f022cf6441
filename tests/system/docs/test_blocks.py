"""Fenced blocks and the comments above them."""

from pathlib import Path

import pytest

from system.docs.blocks import blocks, prose

TEXT = """# Title

<!-- send -->
```json
{"a": 1}
```

Words.

<!-- output -->

Words between: the comment is not of this one.

~~~~sh
echo '```'
~~~~

- an item

  ```python
  if True:
      pass
  ```
"""


def test_blocks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    found = [(block.line, block.language, block.mark, block.text) for block in blocks(path)]
    assert found == [
        (4, "json", "send", '{"a": 1}\n'),
        (14, "sh", "", "echo '```'\n"),
        (20, "python", "", "if True:\n    pass\n"),
    ]


def test_prose_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(TEXT)
    lines = prose(path).splitlines()
    assert len(lines) == len(TEXT.splitlines())
    assert lines[7] == "Words."
    assert not any("echo" in line or "if True" in line for line in lines)


def test_a_block_without_an_end(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("```sh\necho\n")
    with pytest.raises(AssertionError, match=r"page.md:1"):
        list(blocks(path))
