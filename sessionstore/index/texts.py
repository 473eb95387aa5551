"""Texts of entries as a list shows them: masked, on one line, cut, harmless whatever they hold."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ..entries import redact

MAX_TEXT: Final = 200
MAX_WORD: Final = 40
_LONGEST_KEY: Final = 4_096
_LONGEST_KNOWN: Final = 2 * MAX_TEXT
_MOST_KNOWN: Final = 1_000
_JOINERS: Final = "\u200c\u200d"  # format characters that emoji and some scripts need


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text for a list: masked, one line, cut, without control, direction, surrogate characters.

    Masked here, so that neither a search nor the order of a list tells what was masked; and before
    it is cut, since the rest of a key would not be known for one any more.
    """
    return one_line(str(redact(text[: limit + _LONGEST_KEY])), limit)


def one_line(text: str, limit: int = MAX_TEXT) -> str:
    """Text on one line, cut, without control, direction or surrogate characters."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in _JOINERS else " " if char.isspace() else "\ufffd"
        for char in text
    )


def cleaned(value: object) -> str:
    """A value as text for a list; empty where it is none."""
    return clean(value.strip()) if isinstance(value, str) else ""


def session_id(value: object) -> str | None:
    """The id as it is, to be compared with others; only one that no gateway makes is changed."""
    if not isinstance(value, str) or not value:
        return None
    return one_line(value) if len(value) <= MAX_TEXT else clean(value)


def known(value: object) -> str:
    """As :func:`cleaned`, for texts that many rows have; long ones are not remembered."""
    is_short = isinstance(value, str) and len(value) <= _LONGEST_KNOWN
    return _known_text(value) if is_short else cleaned(value)


def known_word(value: object) -> str:
    """A word that many rows have, in lower case; empty where the value is no text."""
    if not isinstance(value, str):
        return ""
    return _known_word(value) if len(value) <= _LONGEST_KNOWN else _folded(value)


def _folded(value: str) -> str:
    # Masked before it is folded: some forms of keys are told by their case.
    return one_line(str(redact(value.strip())).lower(), MAX_WORD)


_known_text = lru_cache(maxsize=_MOST_KNOWN)(cleaned)
_known_word = lru_cache(maxsize=_MOST_KNOWN)(_folded)
