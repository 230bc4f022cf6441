"""Blocks of a document that programs write, between two markers."""

__all__ = ["place_between"]


def place_between(document: str, begin: str, end: str, block: str) -> str:
    """Put ``block`` between the markers of ``document``.

    Raises:
        ValueError: the markers are not there, each once and in order.
    """
    head, first, rest = document.partition(begin)
    _, last, tail = rest.partition(end)
    if not first or not last or begin in rest or end in tail:
        raise ValueError(f"the document needs {begin!r} and then {end!r}, once each")
    return f"{head}{begin}\n\n{block}\n\n{end}{tail}"
