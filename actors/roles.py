"""What one may do (contract, section 8)."""

from enum import IntEnum

__all__ = ["Role"]


class Role(IntEnum):
    """A greater role may do all that a smaller one may."""

    VIEWER = 1
    """Read and subscribe."""
    RESPONDER = 2
    """And change, and send alerts in."""
    ADMIN = 3
    """And debug and audit."""
