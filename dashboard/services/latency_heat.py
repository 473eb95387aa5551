"""The heat map of 72 hours: how many waits, holds or writes fell into each band of time, by hour.

A cell's size says its share of the hour, its fill says so again, and the table has the count:
colour alone says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from django.utils.translation import gettext as _

from .latency_charts import SERIES_WORDS
from .latency_look import BANDS_MS, heat_span
from .latency_report import Report

CELL, GUTTER, FOOT = 14, 74, 18
_SIZES = (3, 5, 8, 11, 13)
_SHARES = (0.01, 0.10, 0.33, 0.66)
_SPARSE = 6


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One square of the picture. ``level`` is 1 to 5 by its share of the hour."""

    x: float
    y: float
    side: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class HeatHour:
    """One row of the table. ``counts`` is None where nobody reported."""

    start_ms: int
    end_ms: int
    x: int
    total: int
    counts: tuple[int, ...] | None
    is_labelled: bool

    @property
    def counted(self) -> list[tuple[str, int]]:
        """Each band with its count; none where nobody reported."""
        return list(zip(band_labels(), self.counts or (), strict=False))

    @property
    def middle(self) -> float:
        """The middle of its column in the picture."""
        return self.x + CELL / 2


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The picture and its table. ``bands`` are labels, fastest first; the picture has them last."""

    series: str
    title: str
    bands: tuple[str, ...]
    band_lines: tuple[tuple[str, int], ...]
    hours: tuple[HeatHour, ...]
    cells: tuple[HeatCell, ...]
    width: int
    height: int
    middle: int
    foot: int
    sentence: str


def heat_map_of(report: Report) -> HeatMap:
    """Finish the heat map of a report."""
    series = report.wanted.heat_series
    bands = band_labels()
    title = _("%(what)s by hour, last 72 hours") % {"what": SERIES_WORDS[series]}
    edges = heat_span(report.read_at_ms).edges()
    hours = tuple(
        HeatHour(start, end, GUTTER + place * CELL, sum(counts or ()), counts, place % _SPARSE == 0)
        for place, ((start, end), counts) in enumerate(zip(edges, report.hours, strict=True))
    )
    return HeatMap(
        series=series,
        title=title,
        bands=bands,
        band_lines=tuple(
            (label, _top(place, len(bands)) + CELL - 3) for place, label in enumerate(bands)
        ),
        hours=hours,
        cells=tuple(cell for hour in hours for cell in _cells(hour, bands)),
        width=GUTTER + len(hours) * CELL,
        height=len(bands) * CELL + FOOT,
        middle=len(bands) * CELL // 2,
        foot=len(bands) * CELL + FOOT - 4,
        sentence=_sentence(hours),
    )


def band_labels() -> tuple[str, ...]:
    """What the bands are called, fastest first."""
    said = [f"{edge} ms" if edge < 1000 else f"{edge // 1000} s" for edge in BANDS_MS]
    between = [f"{low}–{high}" for low, high in pairwise(said)]
    return (f"< {said[0]}", *between, f"≥ {said[-1]}")


def _top(place: int, count: int) -> int:
    """Where a band begins: the slowest is on top."""
    return (count - 1 - place) * CELL


def _cells(hour: HeatHour, bands: tuple[str, ...]) -> list[HeatCell]:
    cells = []
    for place, count in enumerate(hour.counts or ()):
        if not count:
            continue
        share = count / hour.total
        level = 1 + sum(share >= limit for limit in _SHARES)
        side = _SIZES[level - 1]
        margin = (CELL - side) / 2
        title = _("%(band)s: %(count)s of %(total)s") % {
            "band": bands[place],
            "count": f"{count:,}",
            "total": f"{hour.total:,}",
        }
        cells.append(
            HeatCell(hour.x + margin, _top(place, len(bands)) + margin, side, level, title)
        )
    return cells


def _sentence(hours: tuple[HeatHour, ...]) -> str:
    """What the picture says, for those who do not see it."""
    slow = sum(sum(hour.counts[-2:]) for hour in hours if hour.counts)
    silent = sum(hour.counts is None for hour in hours)
    return _(
        "%(all)s in 72 hours, %(slow)s of them of 1 s or more; nobody reported in %(silent)s hours."
    ) % {"all": f"{sum(h.total for h in hours):,}", "slow": f"{slow:,}", "silent": silent}
