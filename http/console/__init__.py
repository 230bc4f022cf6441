"""``/``: the live console, a page without data that streams with its reader's own token."""

from incident_manager.http.console.page import PARTS, part, shell

__all__ = ["PARTS", "part", "shell"]
