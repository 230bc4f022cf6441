"""How many files, sockets among them, this process may have open."""

import resource

__all__ = ["raise_limit"]


def raise_limit() -> int | None:
    """Raise the soft limit of RLIMIT_NOFILE to the hard one; the limit then, None for none.

    A soft limit of 1,024 is common and low only for the sake of select(2), which Trio does not
    use. Where the system refuses, the limit stays as it is.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # macOS has a limit that it does not tell of
            return None if soft == resource.RLIM_INFINITY else soft
    return None if hard == resource.RLIM_INFINITY else hard
