"""Units of limits: how a limit is typed, shown and bounded, and its base unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Unit:
    """How a limit is typed and shown: ``factor`` makes the base unit (seconds, bytes, share)."""

    name: str
    factor: float
    word: _StrPromise
    least: float
    most: float


MILLISECONDS = Unit("time", 0.001, _("milliseconds"), 1, 3_600_000)
SECONDS = Unit("time", 1, _("seconds"), 0.1, 86_400)
MINUTES = Unit("time", 60, _("minutes"), 1, 10_080)
HOURS = Unit("time", 3_600, _("hours"), 1, 8_760)
DAYS = Unit("time", 86_400, _("days"), 1, 3_650)
PERCENT = Unit("share", 0.01, _("percent"), 0.1, 100)
OF_LIMIT = Unit("of-limit", 0.01, _("percent of the limit"), 1, 1_000)
KIB = Unit("bytes", 1_024, _("KiB"), 1, 1 << 30)
TIMES = Unit("times", 1, _("times the stores"), 0.1, 100)
COUNT = Unit("count", 1, _("times"), 1, 1_000_000)
