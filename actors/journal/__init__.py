"""The journal: the one truth, behind a port with SQLite and memory adapters."""
