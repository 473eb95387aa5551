"""What one look at one store's history gives for the page of latencies.

Runs in the store's own thread, and keeps nothing of the reports but sums, so that pages of many
stores cost memory by steps and not by windows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sessionstore.metrics import (
    History,
    HotSession,
    Labels,
    Process,
    Window,
    bucket_of,
    merge,
)

from .latency_span import HOUR_MS, Span
from .latency_sums import TIMES, Sums
from .tree import shown

HEAT_HOURS = 72
BANDS_MS = (1, 10, 100, 1_000, 10_000)
"""Edges between the bands of the heat map: the decades around the limits that matter."""
_EDGES = tuple(bucket_of(edge * 1_000_000) for edge in BANDS_MS)
_MOST_SESSIONS = 4_096
_SETTLED_MS = HOUR_MS
_MOST_KEPT = 20 * HEAT_HOURS
_hours_kept: WeakKeyDictionary[History, dict[tuple[int, object], Hour]] = WeakKeyDictionary()


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
        return self.series if self.series in TIMES else "wait"

    @property
    def heat_filter(self) -> tuple[object, ...]:
        """What the counts of the heat map depend on besides the time."""
        return self.heat_series, self.operations, self.scope, self.layout

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
    ``refused`` counts reports and files that could not be read.
    """

    steps: list[Sums | None]
    coverage: list[tuple[int, int]]
    hours: list[Hour]
    sessions: list[HotSession]
    processes: list[Process]
    operations: set[str]
    refused: int


def look_at_store(history: History, span: Span, wanted: Wanted, *, now_ms: int) -> StoreLook:
    """Add up what one store's writers reported, over the window and over 72 hours."""
    windows = _windows(history, span)
    inside = [window for window in windows if window is not None]
    rest = merge(Window(w.version, 0, 0, w.until_ms, w.processes, [], w.sessions) for w in inside)
    return StoreLook(
        steps=[None if window is None else _sums(window, wanted) for window in windows],
        coverage=history.coverage(),
        hours=hours_of(history, wanted, now_ms=now_ms),
        sessions=rest.sessions[:_MOST_SESSIONS],
        processes=rest.processes,
        operations={shown(group.labels.operation) for w in inside for group in w.groups},
        refused=history.refused,
    )


def step_sums(history: History, span: Span, wanted: Wanted) -> list[Sums | None]:
    """Only the steps."""
    windows = _windows(history, span)
    return [None if window is None else _sums(window, wanted) for window in windows]


def resolution_of(history: History, start_ms: int) -> int:
    """How long steps must be, and of which they are a multiple: what thinning has left."""
    return history.resolution_ms(start_ms)


def _windows(history: History, span: Span) -> list[Window | None]:
    return [step.window for step in history.steps(span.start_ms, span.end_ms, span.step_ms)]


def _sums(window: Window, wanted: Wanted) -> Sums:
    sums = Sums()
    for group in window.groups:
        if wanted.takes(group.labels):
            sums.add(group)
    return sums


Hour = tuple[int, ...] | None
"""Counts by band of one hour; None where nobody reported."""


def hours_of(history: History, wanted: Wanted, *, now_ms: int) -> list[Hour]:
    """Counts by band of the last 72 hours.

    Hours that are over for long change no more and are kept: adding up 72 hours of eight writers
    takes a quarter of a second. Kept with the history, used only in its store's thread.
    """
    kept = _hours_kept.setdefault(history, {})
    if len(kept) > _MOST_KEPT:
        kept.clear()
    found: list[Hour] = []
    for start, end in heat_span(now_ms).edges():
        place = (start, wanted.heat_filter)
        if place not in kept:
            [step] = history.steps(start, end, HOUR_MS)
            counts = None if step.window is None else _bands(step.window, wanted)
            # A writer that was idle says so with its next report: a gap may still close.
            if end > now_ms - _SETTLED_MS or counts is None:
                found.append(counts)
                continue
            kept[place] = counts
        found.append(kept[place])
    return found


def _bands(window: Window, wanted: Wanted) -> tuple[int, ...]:
    counts = [0] * (len(BANDS_MS) + 1)
    for group in window.groups:
        histogram = group.series.get(TIMES[wanted.heat_series])
        if histogram is None or not wanted.takes(group.labels):
            continue
        for bucket, count in histogram.counts.items():
            counts[bisect_right(_EDGES, bucket)] += count
    return tuple(counts)


def heat_span(now_ms: int) -> Span:
    """The 72 hours of the heat map, whole ones, up to the end of this one."""
    end_ms = (now_ms // HOUR_MS + 1) * HOUR_MS
    return Span(end_ms - HEAT_HOURS * HOUR_MS, end_ms, HOUR_MS)
