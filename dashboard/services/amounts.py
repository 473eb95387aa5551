"""How amounts are written, in sentences and on pages alike."""

from __future__ import annotations

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(milliseconds: float) -> str:
    """Milliseconds under 1 s, seconds to 60, then m:ss, then hours and days."""
    if round(milliseconds) < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < _HOUR:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // 60)} min"
    return f"{int(seconds // _DAY)} d {int(seconds % _DAY // _HOUR)} h"


def binary(count: int) -> str:
    """Bytes in the largest binary unit that gives at least one."""
    if count < 1024:
        return f"{count} B"
    step = min((count.bit_length() - 1) // 10, len(_UNITS))
    amount, unit = count / 1024**step, _UNITS[step - 1]
    return f"{amount:,.0f} {unit}" if amount >= 100 else f"{amount:.1f} {unit}"


def latency(milliseconds: float) -> str:
    """As :func:`duration`, with two or three digits below 10 ms, where most waits are."""
    if 0 < milliseconds < 1:
        return f"{milliseconds:.3f} ms"
    return f"{milliseconds:.1f} ms" if 0 < milliseconds < 10 else duration(milliseconds)


def trimmed(words: str) -> str:
    """A length or size without digits that say nothing: "1 s" for "1.0 s", "30 d" for "30 d 0 h".

    For limits, which are what somebody typed; a measured "1.0 s" says how exact it is.
    """
    number, _space, unit = words.partition(" ")
    if unit == "min" and number.endswith(":00"):
        return f"{number[:-3]} min"
    if unit.endswith((" 0 h", " 0 min")):
        return f"{number} {unit.partition(' ')[0]}"
    return f"{number[:-2]} {unit}" if number.endswith(".0") else words


def rate(count: int, seconds: float) -> str:
    """How often, per second from one a second on, else per minute."""
    if seconds <= 0:
        return "–"
    per_second = count / seconds
    if per_second >= 1:
        return f"{per_second:,.1f}/s"
    per_minute = 60 * per_second
    return f"{per_minute:.0f}/min" if per_minute >= 10 or not count else f"{per_minute:.2g}/min"
