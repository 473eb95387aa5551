"""A report as charts: each a table of finished numbers, drawn as a picture and shown as a table.

What is drawn, what the table says and what the JSON gives are the same values, made here once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from .amounts import binary, latency
from .latency_report import Report
from .latency_sums import CHANGED, PHASES, TIMES, WRITTEN, Figures, Sums
from .sampled import exactness

Text = str | Promise
Number = float | int | None

PHASE_WORDS: dict[str, Text] = {
    "queue": lazy("queue"),
    "lock": lazy("lock"),
    "read": lazy("read"),
    "merge": lazy("merge"),
    "serialise": lazy("serialise"),
    "write": lazy("write"),
    "sync": lazy("sync"),
    "rename": lazy("rename"),
}
SERIES_WORDS: dict[str, Text] = {
    "wait": lazy("Lock wait"),
    "hold": lazy("Lock hold"),
    "write": lazy("Write"),
    "phases": lazy("Where the time goes"),
    "updates": lazy("Updates and timeouts"),
    "bytes": lazy("Bytes written and changed"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart's table, one line or bar of its picture."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One number, and how it is said. ``value`` is None where there is none to tell."""

    value: Number
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. ``rows`` go by the steps of the report; None where nobody reported.

    ``kind`` is how it is drawn: bands (lines over a logarithmic scale), shares (stacked to 100 %),
    counts or bytes (bars). ``unit`` is that of the values. ``exactness`` says whether they are of
    all updates.
    """

    name: str
    title: str
    kind: str
    unit: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...] | None, ...]
    exactness: str = field(default_factory=lambda: exactness(0, 0))

    @property
    def labelled_rows(self) -> list[list[tuple[Column, Cell]] | None]:
        """The rows, each cell with its column."""
        return [
            None if row is None else list(zip(self.columns, row, strict=True)) for row in self.rows
        ]


def charts_of(report: Report) -> tuple[Chart, ...]:
    """The charts that were asked for."""
    made: dict[str, Callable[[Report], Chart]] = {
        "wait": lambda one: _bands(one, "wait", _WAIT_NOTE),
        "hold": lambda one: _bands(one, "hold", _HOLD_NOTE),
        "write": lambda one: _bands(one, "write", _WRITE_NOTE),
        "phases": _phases,
        "updates": _updates,
        "bytes": _bytes,
    }
    wanted = report.wanted.series
    return tuple(make(report) for name, make in made.items() if wanted in ("", name))


_WAIT_NOTE = lazy("From asking for the lock to getting it, or to giving up.")
_HOLD_NOTE = lazy("From getting the lock to letting it go.")
_WRITE_NOTE = lazy("The part of a hold that replaces the file.")


def _bands(report: Report, name: str, note: Text) -> Chart:
    columns = (
        Column("n", _("Updates")),
        Column("p50", "p50"),
        Column("p95", "p95"),
        Column("p99", "p99"),
        Column("max", _("Longest")),
    )
    return Chart(
        name=name,
        title=str(SERIES_WORDS[name]),
        kind="bands",
        unit="ms",
        note=str(note),
        columns=columns,
        rows=_rows(report, lambda step: _band_cells(step.figures(TIMES[name]))),
    )


def _band_cells(figures: Figures) -> tuple[Cell, ...]:
    values = (figures.p50, figures.p95, figures.p99, figures.maximum)
    return (_count(figures.n), *(time_cell(figures, value) for value in values))


def time_cell(figures: Figures, value: float | None) -> Cell:
    """A time, said as *at least* where it stands for waits that were given up."""
    if value is None:
        return Cell(None, "–")
    text = latency(value)
    return Cell(value, f"≥ {text}" if figures.is_at_least(value) else text)


def _phases(report: Report) -> Chart:
    return Chart(
        name="phases",
        title=str(SERIES_WORDS["phases"]),
        kind="shares",
        unit="%",
        note=_("Each phase’s share of the time that updates took, from asking to letting go."),
        columns=tuple(Column(phase, str(PHASE_WORDS[phase])) for phase in PHASES),
        rows=_rows(report, _phase_cells),
        exactness=exactness(report.total.updates, report.total.estimated),
    )


def _phase_cells(step: Sums) -> tuple[Cell, ...]:
    times = [step.total(phase) for phase in PHASES]
    whole = sum(times)
    if not whole:
        return tuple(Cell(None, "–") for _phase in PHASES)
    shares = [round(100 * one / whole, 3) for one in times]
    return tuple(Cell(share, f"{share:.1f} %") for share in shares)


def _updates(report: Report) -> Chart:
    return Chart(
        name="updates",
        title=str(SERIES_WORDS["updates"]),
        kind="counts",
        unit="",
        note=_("A timeout is an update that gave up waiting. It counts as the time it waited."),
        columns=(
            Column("updates", _("Updates")),
            Column("contended", _("Had to wait")),
            Column("timeouts", _("Timeouts")),
        ),
        rows=_rows(
            report,
            lambda step: tuple(map(_count, (step.updates, step.contended, step.timeouts))),
        ),
    )


def _bytes(report: Report) -> Chart:
    return Chart(
        name="bytes",
        title=str(SERIES_WORDS["bytes"]),
        kind="bytes",
        unit="B",
        note=_("Amplification is how many bytes were written for each byte that had to change."),
        columns=(
            Column("written", _("Written")),
            Column("changed", _("Had to change")),
            Column("amplification", _("Amplification")),
        ),
        rows=_rows(report, _byte_cells),
    )


def _byte_cells(step: Sums) -> tuple[Cell, ...]:
    written, changed = step.total(WRITTEN), step.total(CHANGED)
    times = amplification(written, changed)
    return (
        Cell(written, binary(written)),
        Cell(changed, binary(changed)),
        Cell(times, "–" if times is None else f"× {times:,.1f}"),
    )


def amplification(written: int, changed: int) -> float | None:
    """Bytes written for each byte that had to change; None when none had to."""
    return round(written / changed, 3) if changed else None


def _count(number: int) -> Cell:
    return Cell(number, f"{number:,}")


def _rows(
    report: Report, cells: Callable[[Sums], tuple[Cell, ...]]
) -> tuple[tuple[Cell, ...] | None, ...]:
    return tuple(None if step is None else cells(step) for step in report.steps)
