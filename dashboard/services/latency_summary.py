"""The figures above the charts: the whole window in one line."""

from __future__ import annotations

from dataclasses import dataclass

from .amounts import binary, rate
from .latency_charts import Cell, amplification, time_cell
from .latency_report import Report
from .latency_sums import CHANGED, TIMES, WRITTEN, Sums
from .sampled import exactness


@dataclass(frozen=True, slots=True)
class Times:
    """One kind of time over the whole window; ``n`` is what the percentiles are of."""

    name: str
    n: int
    p50: Cell
    p95: Cell
    p99: Cell
    longest: Cell

    @property
    def is_few(self) -> bool:
        """Whether there are too few to say much (demand.md E4)."""
        return self.n < 20


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything added up. Rates are over the time that the window has.

    ``phases`` says of how many updates the phases are; all other figures are of all of them.
    """

    updates: int
    rate: str
    timeouts: int
    contended: int
    contended_share: float | None
    times: tuple[Times, ...]
    written: str
    written_bytes: int
    changed: str
    changed_bytes: int
    amplification: float | None
    phases: str
    estimated: int


def summary_of(report: Report) -> Summary:
    """Sum a report up."""
    total = report.total
    written, changed = total.total(WRITTEN), total.total(CHANGED)
    return Summary(
        updates=total.updates,
        rate=rate(total.updates, report.span.length_ms / 1000),
        timeouts=total.timeouts,
        contended=total.contended,
        contended_share=100 * total.contended / total.updates if total.updates else None,
        times=tuple(times_of(total, name) for name in TIMES),
        written=binary(written),
        written_bytes=written,
        changed=binary(changed),
        changed_bytes=changed,
        amplification=amplification(written, changed),
        phases=exactness(total.updates, total.estimated),
        estimated=total.estimated,
    )


def times_of(sums: Sums, name: str) -> Times:
    """Percentiles of one kind of time, said."""
    figures = sums.figures(TIMES[name])
    p50, p95, p99, longest = (
        time_cell(figures, value)
        for value in (figures.p50, figures.p95, figures.p99, figures.maximum)
    )
    return Times(name, figures.n, p50, p95, p99, longest)
