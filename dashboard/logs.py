"""Log lines that cannot be forged: one event, one line, control characters escaped."""

from __future__ import annotations

import logging
import time
import unicodedata
from contextvars import ContextVar

#: The id of the request that this thread answers or answered last, "-" before the first.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

# Control, format (bidirectional overrides among them), surrogate and line separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain_text(text: str, *, longest: int = 2000) -> str:
    """Return ``text`` on one line, with everything that could steer a reader escaped."""
    shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
    if shown.isprintable():
        return shown
    return "".join(
        character
        if unicodedata.category(character) not in _UNPRINTABLE
        else character.encode("unicode_escape").decode("ascii")
        for character in shown
    )


class RequestIdFilter(logging.Filter):
    """Adds ``request_id`` to every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class LineFormatter(logging.Formatter):
    """Formats as ``time level logger request-id message``; tracebacks follow, indented.

    Indenting keeps a line break inside an exception's text from looking like a new event.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = (
            f"{at}.{int(record.msecs):03d}Z {record.levelname.lower()} {record.name}"
            f" {getattr(record, 'request_id', '-')} {plain_text(record.getMessage())}"
        )
        if record.exc_info:
            traceback = self.formatException(record.exc_info)
            line += "".join(f"\n  | {plain_text(part)}" for part in traceback.splitlines())
        return line
