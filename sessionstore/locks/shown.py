"""What is shown of texts and numbers that other programs wrote: bounded, and fit for any output.

Live tables and lock files are anybody's to write: a number may be absurd, a text may steer a
terminal or turn the reading direction.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
import unicodedata

MOST_TEXT = 200
LAST_MS = 253_402_300_799_999  # the end of the year 9999: what calendars can say
_MOST_S = 1e9
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def plain(text: str, *, most: int = MOST_TEXT) -> str:
    """The text without control and direction characters, at most ``most`` characters of it."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join("\ufffd" if unicodedata.category(char) in _UNSEEN else char for char in cut)


def plain_path(path: str | os.PathLike[str]) -> str:
    """A path as text that can be written out; bytes that are no UTF-8 are replaced."""
    return plain(os.fsencode(path).decode("utf-8", "replace"), most=4096)


def within_calendar(at_ms: int) -> int:
    """The time itself where a calendar has it, else 0."""
    return at_ms if 0 <= at_ms <= LAST_MS else 0


def seconds(value: float) -> float:
    """A published duration: finite, not negative; 0 for anything else."""
    return min(value, _MOST_S) if math.isfinite(value) and value > 0 else 0.0


def limit_of(timeout_s: float) -> float | None:
    """How long a holder with this timeout may keep its lock: queue, lock and work share it.

    None for a single try (0), which says nothing about the work, and for no limit at all.
    """
    return timeout_s if math.isfinite(timeout_s) and 0 < timeout_s < _MOST_S else None


def age_s(since_s: float) -> float:
    """Seconds since then, by the clock; never negative."""
    return max(time.time() - since_s, 0.0)


def duration(value_s: float) -> str:
    """Seconds for a sentence: exact while short, rounded when long."""
    return f"{value_s:.1f} s" if value_s < 100 else f"{value_s:.0f} s"


def rough_age(value_s: float) -> str:
    """An age for a sentence, in the two largest units that it has."""
    minutes = int(value_s // 60)
    if minutes < 2:
        return f"{value_s:.0f} s"
    hours, days = minutes // 60, minutes // 1440
    if not hours:
        return f"{minutes} min {int(value_s % 60)} s"
    return f"{days} d {hours % 24} h" if days else f"{hours} h {minutes % 60} min"


def holding_id(*parts: object) -> str:
    """A short name of one holding, the same while its parts are. Cannot be turned back."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]
