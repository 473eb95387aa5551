"""The figures above the charts: the whole window in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .amounts import binary, rate
from .check_judging import UNKNOWN, Figure, grade
from .latency_charts import Cell, amplification, time_cell
from .latency_report import Report
from .latency_sums import CHANGED, TIMES, WRITTEN, Sums
from .sampled import exactness
from .threshold_changes import limits_now
from .thresholds import FEWEST_SAMPLES, RULES, Limits


@dataclass(frozen=True, slots=True)
class Times:
    """One kind of time over the whole window; ``n`` is what the percentiles are of.

    ``state`` is that of the 95th percentile by ``rule``, whose limits are those of five minutes;
    "none" with too few, or where there is no one rule (writes of both layouts together).
    """

    name: str
    n: int
    p50: Cell
    p95: Cell
    p99: Cell
    longest: Cell
    rule: str = ""
    state: str = "none"

    @property
    def is_few(self) -> bool:
        """Whether there are too few to say much (demand.md E4)."""
        return self.n < FEWEST_SAMPLES


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
    total, limits = report.total, limits_now()
    written, changed = total.total(WRITTEN), total.total(CHANGED)
    return Summary(
        updates=total.updates,
        rate=rate(total.updates, report.span.length_ms / 1000),
        timeouts=total.timeouts,
        contended=total.contended,
        contended_share=100 * total.contended / total.updates if total.updates else None,
        times=tuple(_judged(times_of(total, name), total, limits) for name in TIMES),
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


_RULES = {"wait": "lock-wait", "hold": "hold"}
_RULES_OF_WRITES = {"directory": "write-directory", "legacy": "write-legacy"}


def _judged(times: Times, sums: Sums, limits: Mapping[str, Limits]) -> Times:
    """With the state of its 95th percentile."""
    name = _RULES.get(times.name, "")
    if times.name == "write" and len(sums.layouts) == 1:
        name = _RULES_OF_WRITES.get(next(iter(sums.layouts)), "")
    p95 = sums.figures(TIMES[times.name]).p95
    if not name or p95 is None:
        return times
    figure = Figure(name, "", "", "", p95 / 1000, samples=times.n)
    state = grade(RULES[name], limits[name], figure)
    return replace(times, rule=name, state="none" if state == UNKNOWN else state)
