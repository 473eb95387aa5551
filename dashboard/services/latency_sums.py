"""What writers reported of one step, added up: counts, and histograms that give percentiles.

Made in a store's own thread from its windows, then added up over stores. Percentiles come from
merged histograms and are never averaged.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sessionstore.metrics import (
    CHANGED,
    HOLD,
    PHASES,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    Histogram,
    spread,
)

__all__ = ["CHANGED", "HOLD", "PHASES", "TIMES", "WAIT", "WRITE", "WRITTEN", "Figures", "Sums"]

TIMEOUT = "timeout"
TIMES = {"wait": WAIT, "hold": HOLD, "write": WRITE}
"""The times that addresses and charts name, and the series that holds each."""
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """Percentiles of one kind of time in milliseconds, with how many they are of.

    None without any. ``from_timeouts_ms`` is the shortest wait that was given up: a percentile
    that reaches it is *at least* what it says, since who gave up would have waited longer.
    """

    n: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    maximum: float | None = None
    from_timeouts_ms: float | None = None

    def is_at_least(self, value_ms: float | None) -> bool:
        """Whether a value stands for waits that were given up."""
        limit = self.from_timeouts_ms
        return limit is not None and value_ms is not None and value_ms >= limit


@dataclass(slots=True)
class Sums:
    """Updates added up. ``given_up`` are the waits, within ``wait``, that ended in a timeout.

    Of ``estimated`` updates the phases were not looked at: those of others stand for them.
    ``layouts`` are those that anything was written in.
    """

    updates: int = 0
    contended: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    series: dict[str, Histogram] = field(default_factory=dict)
    given_up: Histogram = field(default_factory=lambda: Histogram({}))
    estimated: int = 0
    layouts: set[str] = field(default_factory=set)

    @property
    def timeouts(self) -> int:
        """Updates that gave up waiting."""
        return self.outcomes[TIMEOUT]

    def add(self, group: Group) -> None:
        """Add what was reported of one group."""
        self.updates += group.count
        self.contended += group.contended
        self.estimated += group.estimated
        self.outcomes[group.labels.outcome] += group.count
        for name, histogram in group.series.items():
            self.series.setdefault(name, Histogram({})).merge(histogram)
        if WRITE in group.series:
            self.layouts.add(group.labels.layout)
        if group.labels.outcome == TIMEOUT and WAIT in group.series:
            self.given_up.merge(group.series[WAIT])

    def merge(self, other: Sums) -> None:
        """Add what another store reported."""
        self.updates += other.updates
        self.contended += other.contended
        self.estimated += other.estimated
        self.outcomes.update(other.outcomes)
        self.layouts |= other.layouts
        for name, histogram in other.series.items():
            self.series.setdefault(name, Histogram({})).merge(histogram)
        self.given_up.merge(other.given_up)

    def total(self, name: str) -> int:
        """The sum of a series: nanoseconds or bytes."""
        found = self.series.get(name)
        return 0 if found is None else found.total

    def figures(self, name: str) -> Figures:
        """Percentiles of a series of times."""
        found = spread(self.series.get(name))
        return Figures(
            n=found.n,
            p50=_ms(found.p50),
            p95=_ms(found.p95),
            p99=_ms(found.p99),
            maximum=_ms(found.maximum),
            from_timeouts_ms=_ms(self.given_up.percentile(0.0)) if name == WAIT else None,
        )


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else round(nanoseconds / _NS_PER_MS, 6)
