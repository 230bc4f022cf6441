"""Logs: structlog for our own lines and the standard library's, on one stream, without secrets.

Lines go to standard error: for a person, or (``observability.json_logs``) one JSON object a line.
"""

import logging
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, TextIO

import structlog
from attrs import field, frozen
from structlog.typing import EventDict, Processor, WrappedLogger

__all__ = ["REDACTED", "Redactor", "configure_logging"]

REDACTED: Final = "[redacted]"

_DEPTH: Final = 12
_SECRET_WORDS: Final = frozenset(
    ("authorization", "token", "secret", "password", "passwd", "cookie", "credential", "apikey")
)
# "tokens" is left out on purpose: models count in them (gen_ai.usage.input_tokens).
_PLURALS: Final = _SECRET_WORDS - {"token"}
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")

# In running text, also in text that was quoted once more: what stands between a name and its
# value; a value in quotes; any other value, up to what ends it (a list or map ends its line).
_IS: Final = r"""[\\"']*\s*[:=]\s*"""
_QUOTED: Final = r"""[bru]{0,2}(?P<quote>\\*["'])(?:(?!(?<!\\)(?P=quote)).)*(?:(?P=quote))?"""
_VALUE: Final = rf"""(?:{_QUOTED}|[\[{{(].*|[^\s"',;&)\]}}]+)"""
_PATTERNS: Final = (
    # A JSON Web Token: its header is JSON, so it begins with the Base64 of '{"'.
    (re.compile(r"eyJ[\w-]{4,}(?:\.[\w-]*)*", re.ASCII), REDACTED),
    # An API key of ours.
    (re.compile(r"\blim_[A-Za-z0-9_-]{1,64}_[0-9A-Za-z]{43}\b", re.ASCII), REDACTED),
    # The password of a URL.
    (re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@"), rf"\1:{REDACTED}@"),
    # Headers whose value goes to the end of the line.
    (
        re.compile(rf"((?:authorization|cookie)s?{_IS})(?:{_QUOTED}|.+)", re.IGNORECASE),
        rf"\1{REDACTED}",
    ),
    (re.compile(rf"\b(bearer\s+){_VALUE}", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(
            rf"((?:token|(?:secret|password|passwd|credential|api[_-]?key)s?){_IS}){_VALUE}",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@frozen
class Redactor:
    """A structlog processor that takes credentials out of everything in an event.

    Out goes the value of a key that names a secret, whatever it is, and out of any text, at any
    depth and in exceptions: bearer tokens, JSON Web Tokens, ``password=...`` and the like, the
    passwords of URLs, and ``known``, the secrets of the settings.
    """

    known: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Return a redacted copy of ``event``."""
        return {self.text(str(key)): self._entry(key, value, 0) for key, value in event.items()}

    def text(self, text: str) -> str:
        """``text`` without what looks like a credential."""
        for secret in self.known:
            text = text.replace(secret, REDACTED)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def value(self, value: object, depth: int = 0) -> object:
        """``value`` without secrets: numbers as they are, containers walked, the rest as text."""
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            if depth == _DEPTH:
                return "..."
            if not isinstance(value, Mapping):
                return [self.value(item, depth + 1) for item in value]
            return {
                self.text(str(key)): self._entry(key, item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, bytes | bytearray):
            return self.text(value.decode("utf-8", "backslashreplace"))
        return self.text(str(value))

    def _entry(self, key: object, value: object, depth: int) -> object:
        return (
            REDACTED if value is not None and _names_secret(str(key)) else self.value(value, depth)
        )


def configure_logging(
    log_level: str = "info",
    *,
    json_logs: bool = False,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send the logs of this process, structlog's and the standard library's, to ``stream``.

    The stream is standard error unless given. Handlers of the root logger and of Hypercorn's are
    replaced, so calling it again is safe. ``secrets`` are values that must never be written,
    whatever stands around them.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    finish: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # Exceptions become text first: a renderer of tracebacks would show local variables.
        structlog.processors.format_exc_info,
        Redactor(tuple(sorted(filter(None, secrets), key=len, reverse=True))),
    ]
    if json_logs:
        finish.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    else:
        colors = out.isatty() and not os.environ.get("NO_COLOR")
        finish += [
            _one_line,
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()], processors=finish
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(log_level.upper())
    for name in ("hypercorn.error", "hypercorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _names_secret(key: str) -> bool:
    """Whether a key names a secret: by its words, so ``auth_token`` does and ``tokens_in`` not."""
    words = [word.lower() for word in _WORD.findall(key)]
    return any(word in _SECRET_WORDS or word.removesuffix("s") in _PLURALS for word in words) or (
        "api" in words and ("key" in words or "keys" in words)
    )


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep what others sent from looking like lines of our own; tracebacks keep their lines."""
    return {
        key: value if key in ("exception", "stack") else _escaped(value)
        for key, value in event.items()
    }


def _escaped(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", value)
