"""Log lines that cannot be forged: one event, one line, masked, control characters escaped."""

from __future__ import annotations

import logging
import time
import unicodedata
from contextvars import ContextVar

from .services.tree import masked

#: The id of the request that this thread answers or answered last, "-" before the first.
current_request_id: ContextVar[str] = ContextVar("current_request_id", default="-")

#: Refused requests (a foreign Host, a forged cookie): whoever sends them must not fill the log
#: with tracebacks that say nothing of where the console went wrong.
_REFUSALS = "django.security."

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

    A key may stand in the path of a request or in an exception's text: both are masked.
    Indenting keeps a line break inside that text from looking like a new event.
    """

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = (
            f"{at}.{int(record.msecs):03d}Z {record.levelname.lower()} {record.name}"
            f" {getattr(record, 'request_id', '-')} {plain_text(masked(record.getMessage()))}"
        )
        if record.exc_info and not record.name.startswith(_REFUSALS):
            traceback = masked(self.formatException(record.exc_info))
            line += "".join(f"\n  | {plain_text(part)}" for part in traceback.splitlines())
        return line
