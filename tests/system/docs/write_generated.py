"""Write what documents repeat of the code: ``python tests/system/docs/write_generated.py``."""

from pathlib import Path

from incident_manager.http.config import settings_reference

__all__ = ["SETTINGS", "generated"]

SETTINGS = Path(__file__).parents[3] / "docs" / "SETTINGS.md"


def generated(text: str) -> str:
    """The document with its generated part as it is to be now."""
    begin, rest = text.split("<!-- generated: ", 1)
    mark, rest = rest.split("\n", 1)
    _, end = rest.split("<!-- end of what is generated -->", 1)
    return (
        f"{begin}<!-- generated: {mark}\n\n{settings_reference()}\n"
        f"<!-- end of what is generated -->{end}"
    )


if __name__ == "__main__":
    SETTINGS.write_text(generated(SETTINGS.read_text()))
