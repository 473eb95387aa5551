"""Checks over time: how stores grow and what of them is stale, as charts with a table each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.models import TidyReport

from .amounts import binary
from .latency_charts import Cell, Chart, Column
from .readers import Reader

MOST_SHOWN = 400


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One check of one store, as a table shows it."""

    id: int
    store_id: str
    store: str
    at_ms: int
    rules: int
    entries: int
    files: int
    findings: int
    errors: int
    warnings: int
    new: int | None
    gone: int | None
    bytes: int
    took_ms: int
    actor: str
    job_id: int | None


@dataclass(frozen=True, slots=True)
class StoreHistory:
    """The checks of one store, oldest first, and its charts."""

    reader: Reader
    reports: tuple[TidyReport, ...]
    charts: tuple[Chart, ...]


def history_of(readers: Sequence[Reader]) -> tuple[StoreHistory, ...]:
    """The checks that are kept of each store; those without any are left out."""
    found: dict[str, list[TidyReport]] = {reader.id: [] for reader in readers}
    rows = TidyReport.objects.filter(store_id__in=list(found), is_ready=True)
    for row in rows.order_by("examined_at", "pk"):
        found[row.store_id].append(row)
    return tuple(
        StoreHistory(reader, tuple(some := found[reader.id][-MOST_SHOWN:]), charts_of(some))
        for reader in readers
        if found[reader.id]
    )


def rows_of(histories: Sequence[StoreHistory]) -> list[ReportRow]:
    """Every check of these, newest first."""
    rows = [_row(one.reader, report) for one in histories for report in one.reports]
    rows.sort(key=lambda row: (-row.at_ms, -row.id))
    return rows


def _row(reader: Reader, one: TidyReport) -> ReportRow:
    has_before = one.previous_id is not None
    return ReportRow(
        id=one.pk,
        store_id=one.store_id,
        store=reader.name,
        at_ms=one.examined_at_ms,
        rules=one.rules,
        entries=one.entries,
        files=one.files,
        findings=one.findings_count,
        errors=one.errors,
        warnings=one.warnings,
        new=one.new if has_before else None,
        gone=one.gone if has_before else None,
        bytes=one.figures.get("bytes", 0),
        took_ms=one.took_ms,
        actor=one.actor,
        job_id=one.job_id,
    )


def charts_of(reports: Sequence[TidyReport]) -> tuple[Chart, ...]:
    """Growth in bytes, growth in sessions with what of them is stale, and findings."""
    return (
        _chart(
            reports,
            "growth",
            _("Growth"),
            "bytes",
            _("All files of the store, and what of them is archives and orphans."),
            (
                ("bytes", _("All files")),
                ("tidyable_bytes", _("Archives and orphans")),
                ("orphan_bytes", _("Orphans")),
            ),
        ),
        _chart(
            reports,
            "staleness",
            _("Staleness"),
            "counts",
            _("Sessions, and those of them that nobody has touched for so long."),
            (
                ("sessions", _("Sessions")),
                ("untouched_7d", _("7 days")),
                ("untouched_30d", _("30 days")),
                ("untouched_90d", _("90 days")),
            ),
        ),
        _chart(
            reports,
            "findings",
            _("Findings"),
            "counts",
            _("Findings, and those of them that are more than worth knowing."),
            (("all", _("All")), ("warnings", _("Watch")), ("errors", _("Bad"))),
        ),
    )


def _chart(
    reports: Sequence[TidyReport],
    name: str,
    title: str,
    kind: str,
    note: str,
    columns: Sequence[tuple[str, str]],
) -> Chart:
    said: Callable[[int], str] = binary if kind == "bytes" else _grouped
    rows = [[_value(report, column) for column, _label in columns] for report in reports]
    return Chart(
        name=name,
        title=title,
        kind=kind,
        unit="B" if kind == "bytes" else "",
        note=note,
        columns=tuple(Column(column, label) for column, label in columns),
        rows=tuple(
            tuple(Cell(v, "–" if v is None else said(v)) for v in values) for values in rows
        ),
    )


def _value(report: TidyReport, name: str) -> int | None:
    if name in ("all", "warnings", "errors"):
        return int(report.findings_count if name == "all" else getattr(report, name))
    if name == "tidyable_bytes":
        figures = report.figures
        return int(figures.get("archive_bytes", 0)) + int(figures.get("orphan_bytes", 0))
    value = report.figures.get(name)
    return None if value is None else int(value)


def _grouped(number: int) -> str:
    return f"{number:,}"
