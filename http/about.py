"""What there is to say of a setting: the columns of the table of settings."""

from attrs import field, frozen

__all__ = ["About"]


@frozen(kw_only=True)
class About:
    """What there is to say of a setting besides its type and its default.

    ``least`` and ``most`` bound a number, both included. ``unit`` ``"s"`` makes it a duration:
    seconds, or a number with ``ms s m h d`` behind it. ``choices`` are the values a string may
    take (any case). ``alias`` is a second, shorter flag. A ``secret`` is never shown. A
    ``pending`` setting is fixed by the contract but has no effect in this version, so only its
    default is accepted.
    """

    help: str = field(kw_only=False)
    least: float | None = None
    most: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    alias: str | None = None
    secret: bool = False
    pending: bool = False
