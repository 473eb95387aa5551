"""What one look at one store's history gives for the page of latencies.

Runs in the store's own thread, goes once over the reported windows, and keeps nothing of them but
sums, so that pages of many stores cost memory by steps and not by windows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from sessionstore.metrics import (
    HOLD,
    WAIT,
    WRITE,
    Group,
    History,
    HotSession,
    Labels,
    Process,
    Window,
    bucket_of,
    merge,
)

from .latency_coverage import is_covered
from .latency_span import HOUR_MS, Span, span_of
from .latency_sums import Sums
from .tree import shown

HEAT_HOURS = 72
BANDS_MS = (1, 10, 100, 1_000, 10_000)
"""Edges between the bands of the heat map: the decades around the limits that matter."""
TIMES = (WAIT, HOLD, WRITE)
_EDGES = tuple(bucket_of(edge * 1_000_000) for edge in BANDS_MS)
_MOST_SESSIONS = 4_096


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the page is limited to; an empty text or set limits nothing.

    ``series`` names the chart that is shown alone, and what the heat map counts if it is a time.
    """

    start_ms: int
    end_ms: int
    hours: int | None = None
    agents: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    scope: str = ""
    layout: str = ""
    series: str = ""

    @property
    def heat_series(self) -> str:
        """What the heat map counts."""
        return self.series if self.series in TIMES else WAIT

    def takes(self, labels: Labels) -> bool:
        """Whether updates with these labels are asked for."""
        return (
            (not self.operations or shown(labels.operation) in self.operations)
            and (not self.scope or labels.scope == self.scope)
            and (not self.layout or labels.layout == self.layout)
        )


@dataclass(slots=True)
class StoreLook:
    """One store within the window. ``steps`` has None where nobody reported: a gap, not a zero.

    ``coverage`` are the spans in which anybody was there to report, of all that is kept.
    ``hours`` are counts by band of each of the 72 hours before now, oldest first, with gaps.
    """

    steps: list[Sums | None]
    total: Sums
    coverage: list[tuple[int, int]]
    hours: list[list[int] | None]
    sessions: list[HotSession]
    processes: list[Process]
    operations: set[str]


def look_at_store(history: History, span: Span, wanted: Wanted, *, now_ms: int) -> StoreLook:
    """Add up what one store's writers reported. Costs a pass over the windows of 72 h or more."""
    inside = history.between(span.start_ms, span.end_ms)
    coverage = history.coverage()
    sums = _steps(inside, span, wanted, coverage)
    total = Sums()
    for step in sums:
        if step is not None:
            total.merge(step)
    rest = merge(Window(w.version, 0, 0, w.until_ms, w.processes, [], w.sessions) for w in inside)
    return StoreLook(
        steps=sums,
        total=total,
        coverage=coverage,
        hours=_hours(history, wanted, coverage, now_ms=now_ms),
        sessions=rest.sessions[:_MOST_SESSIONS],
        processes=rest.processes,
        operations={shown(group.labels.operation) for w in inside for group in w.groups},
    )


def step_sums(history: History, span: Span, wanted: Wanted) -> list[Sums | None]:
    """Only the steps."""
    windows = history.between(span.start_ms, span.end_ms)
    return _steps(windows, span, wanted, history.coverage())


def _steps(
    windows: list[Window], span: Span, wanted: Wanted, coverage: list[tuple[int, int]]
) -> list[Sums | None]:
    steps: list[Sums | None] = [
        Sums() if is_covered(coverage, start, end) else None for start, end in span.edges()
    ]
    for window in windows:
        place = span.step_of(window.until_ms)
        if place is None:
            continue
        step = steps[place]
        if step is None:
            step = steps[place] = Sums()
        for group in _taken(window, wanted):
            step.add(group)
    return steps


def _hours(
    history: History, wanted: Wanted, coverage: list[tuple[int, int]], *, now_ms: int
) -> list[list[int] | None]:
    span = heat_span(now_ms)
    hours: list[list[int] | None] = [
        [0] * (len(BANDS_MS) + 1) if is_covered(coverage, start, end) else None
        for start, end in span.edges()
    ]
    for window in history.between(span.start_ms, span.end_ms):
        place = span.step_of(window.until_ms)
        hour = None if place is None else hours[place]
        if hour is None:
            continue
        for group in _taken(window, wanted):
            _count_bands(group, wanted.heat_series, hour)
    return hours


def _taken(window: Window, wanted: Wanted) -> list[Group]:
    return [group for group in window.groups if wanted.takes(group.labels)]


def _count_bands(group: Group, series: str, hour: list[int]) -> None:
    histogram = group.series.get(series)
    if histogram is None:
        return
    for bucket, count in histogram.counts.items():
        if count > 0:
            hour[bisect_right(_EDGES, bucket)] += count


def heat_span(now_ms: int) -> Span:
    """The 72 hours of the heat map, whole ones, up to the end of this one."""
    end_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    return span_of(end_ms - HEAT_HOURS * HOUR_MS, end_ms, finest_ms=HOUR_MS)
