"""A payload that many get."""

__all__ = ["Payload"]


class Payload(bytes):
    """JSON as the projector made it.

    ``beside`` is where those who send it keep what they have made of it for all who get it, no
    larger than itself; it is kept as long as the payload is.
    """

    beside: bytes | None = None
