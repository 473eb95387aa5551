"""Durations and sizes as OpenClaw's config and an operator write them (openclaw-format §5.1).

OpenClaw takes a value that it cannot parse for its default, in silence. Here it stops the plan.
"""

from __future__ import annotations

import math
import re

from ..errors import InvalidPolicyError

DAY_S = 86_400.0

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY_S}
_BYTES = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]*)")
_UNITS = {"": 1, "b": 1} | {
    unit: 1024**power for power, letter in enumerate("kmgt", 1) for unit in (letter, letter + "b")
}
_LONGEST_S = 100 * 366 * DAY_S
_MOST_BYTES = 1 << 60


def parse_duration(value: object, name: str) -> float:
    """Seconds of ``30d``, ``12h``, ``1h30m``; a bare number counts days.

    Raises:
        InvalidPolicyError: it is none, or not above 0; the message has ``name``.
    """
    seconds = _seconds(value)
    if seconds is None or not 0 < seconds <= _LONGEST_S:
        raise refused(name, value, "a duration such as 30d, 12h or 1h30m; a bare number is days")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value * DAY_S if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    if _NUMBER.fullmatch(text):
        return float(text) * DAY_S
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def parse_bytes(value: object, name: str) -> int:
    """Bytes of ``10gb``, ``500 mb``, ``64k`` (of 1024); a bare number counts bytes.

    Raises:
        InvalidPolicyError: it is none, or not above 0; the message has ``name``.
    """
    size: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (found := _BYTES.fullmatch(value.strip().lower())):
        unit = _UNITS.get(found[2])
        size = None if unit is None else float(found[1]) * unit
    if size is None or not math.isfinite(size) or not 1 <= size <= _MOST_BYTES:
        raise refused(name, value, "a size such as 10gb, 500mb or 64k; a bare number is bytes")
    return int(size)


def parse_count(value: object, name: str, *, least: int = 1) -> int:
    """A whole number from ``least``.

    Raises:
        InvalidPolicyError: it is none; the message has ``name``.
    """
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:19])
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole or not least <= value <= 1 << 53:  # type: ignore[operator]
        raise refused(name, value, f"a whole number from {least}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def refused(name: str, value: object, wanted: str) -> InvalidPolicyError:
    """The error that names a value and what it should have been."""
    return InvalidPolicyError(
        f"{name} is {_shown(value)}, which is not {wanted}",
        hint="correct it or leave it out; nothing is planned with a value that was guessed",
    )


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
