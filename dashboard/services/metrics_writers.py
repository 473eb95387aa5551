"""What writers have reported, as samples: every agent × operation × outcome, from zero on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sessionstore.metrics import CHANGED, HOLD, WAIT, WRITE, WRITTEN, Histogram

from .metrics_shapes import Families
from .metrics_totals import Totals
from .metrics_words import (
    CANCELLED,
    HOLDS,
    OPERATIONS,
    PHASE_LABELS,
    READS,
    REASONS,
    RESOLUTIONS,
    WAITS,
    WRITE_OUTCOMES,
)

_Key = tuple[str, ...]
_SCOPE_OF_LAYOUT = {"directory": "session", "legacy": "store"}


class _Sums:
    """Sums by the labels of each metric."""

    def __init__(self) -> None:
        self.histograms: dict[str, dict[_Key, Histogram]] = defaultdict(dict)
        self.counts: dict[str, dict[_Key, int]] = defaultdict(dict)

    def histogram(self, name: str, key: _Key, found: Histogram | None) -> None:
        mine = self.histograms[name].setdefault(key, Histogram({}))
        if found is not None:
            mine.merge(found)

    def count(self, name: str, key: _Key, n: int) -> None:
        self.counts[name][key] = self.counts[name].get(key, 0) + n


def tell_writers(
    families: Families, stores: Iterable[tuple[str, str, Totals]], own: Mapping[str, Histogram]
) -> None:
    """Tell of every store (agent, layout, totals), and of the locks that the console held."""
    sums = _Sums()
    for agent, layout, totals in stores:
        _add_zeros(sums, agent, layout)
        _add_groups(sums, agent, totals)
        for of_layout, reads in totals.reads.items():
            for operation, histogram in reads.items():
                sums.histogram("read_duration_seconds", (agent, of_layout, operation), histogram)
        _add_counters(sums, agent, totals)
    for operation in OPERATIONS:
        sums.histogram("dashboard_lock_hold_seconds", (operation,), None)
    for operation, histogram in own.items():
        sums.histogram("dashboard_lock_hold_seconds", (operation,), histogram)
    for name, histograms in sums.histograms.items():
        for key, histogram in histograms.items():
            families.histogram(name, key, histogram)
    for name, counts in sums.counts.items():
        for key, count in counts.items():
            families.value(name, key, count)


def _add_groups(sums: _Sums, agent: str, totals: Totals) -> None:
    for group in totals.groups:
        one = group.labels
        lock, write = (agent, one.scope, one.operation), (agent, one.layout, one.operation)
        got = one.outcome if one.outcome in ("timeout", CANCELLED) else "acquired"
        series = group.series
        sums.histogram("lock_wait_seconds", (*lock, got), series.get(WAIT))
        sums.count("lock_acquisitions", (*lock, got), group.count)
        sums.count("lock_contended", lock, group.contended)
        sums.count("lock_timeouts", lock, group.count if one.outcome == "timeout" else 0)
        if HOLD in series:
            sums.histogram("lock_hold_seconds", (*lock, "released"), series[HOLD])
        if WRITE in series:
            sums.histogram("write_duration_seconds", (*write, one.outcome), series[WRITE])
        for phase, label in PHASE_LABELS.items():
            if phase in series:
                key = (agent, one.layout, label)
                sums.histogram("write_phase_duration_seconds", key, series[phase])
        if WRITTEN in series:
            sums.histogram("write_bytes", write, series[WRITTEN])
        if CHANGED in series:
            sums.histogram("write_changed_bytes", write, series[CHANGED])


def _add_counters(sums: _Sums, agent: str, totals: Totals) -> None:
    for name, count in totals.counters.items():
        kind, *words = name.split(":")
        if kind == "reclaims":
            # Only lock files are ever taken from someone, and such a file is a whole store's.
            sums.count("lock_reclaims", (agent, "store", *words), count)
        elif kind == "conflicts":
            sums.count("conflicts", (agent, *words), count)
    sums.count("collector_windows_missed", (agent,), totals.missed)


def _add_zeros(sums: _Sums, agent: str, layout: str) -> None:
    """What could be counted in this layout, so that its first count is seen as a step from zero."""
    for reason in REASONS:
        sums.count("lock_reclaims", (agent, "store", reason), 0)
    for operation in OPERATIONS:
        for resolution in RESOLUTIONS:
            sums.count("conflicts", (agent, operation, resolution), 0)
    scope = _SCOPE_OF_LAYOUT.get(layout)
    if scope is None:
        return
    for operation in OPERATIONS:
        lock, write = (agent, scope, operation), (agent, layout, operation)
        for outcome in WAITS:
            sums.histogram("lock_wait_seconds", (*lock, outcome), None)
            sums.count("lock_acquisitions", (*lock, outcome), 0)
        for outcome in HOLDS:
            sums.histogram("lock_hold_seconds", (*lock, outcome), None)
        sums.count("lock_contended", lock, 0)
        sums.count("lock_timeouts", lock, 0)
        for outcome in WRITE_OUTCOMES:
            sums.histogram("write_duration_seconds", (*write, outcome), None)
        sums.histogram("write_bytes", write, None)
        sums.histogram("write_changed_bytes", write, None)
    for label in PHASE_LABELS.values():
        sums.histogram("write_phase_duration_seconds", (agent, layout, label), None)
    for operation in READS:
        sums.histogram("read_duration_seconds", (agent, layout, operation), None)
