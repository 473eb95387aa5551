"""The same window for programs: what is drawn as JSON, the steps as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import latency_listing, twins
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.event_marks import Mark
from dashboard.services.latency_charts import Chart, charts_of
from dashboard.services.latency_heat import HeatMap, heat_map_of
from dashboard.services.latency_report import Report
from dashboard.services.latency_summary import summary_of

from .answers import tells_problems
from .latency import asked

TOPS = ("held", "waited", "written")


@require_safe
@role_required("viewer")
@tells_problems
def latency_json(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the charts and everything around them as JSON; the charts are drawn from this."""
    found = asked(request, store_id)
    report = found.report
    zone = preferences_of(request).shown_zone
    labels = latency_listing.step_labels(found.link, report.span, zone)
    content = {
        **_about(report, found.form.unknown()),
        "invalid_parameters": {n: list(map(str, told)) for n, told in found.form.errors.items()},
        "sentences": [
            latency_listing.source_sentence(report),
            *latency_listing.gap_sentences(report, zone),
        ],
        "labels": [label.text for label in labels],
        "step_edges_ms": report.span.edges(),
        "charts": [_chart(chart) for chart in charts_of(report)],
        "heat_map": _heat(heat_map_of(report)),
        "top_sessions": {name: [asdict(one) for one in getattr(report.hot, name)] for name in TOPS},
        "events": [_mark(mark) for mark in found.marks],
    }
    return twins.json_response("latency", content)


@require_safe
@role_required("viewer")
@tells_problems
def latency_csv(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give a row for each step, with the columns of every chart."""
    found = asked(request, store_id)
    charts = charts_of(found.report)
    columns = [
        f"{chart.name}_{column.name}{_suffix(chart, column.name)}"
        for chart in charts
        for column in chart.columns
    ]
    return twins.csv_response(
        "latency", ["from", "to", "reported", *columns], _csv_rows(found.report, charts)
    )


def _csv_rows(report: Report, charts: tuple[Chart, ...]) -> Iterator[list[object]]:
    for place, (start_ms, end_ms) in enumerate(report.span.edges()):
        values: list[object] = []
        for chart in charts:
            row = chart.rows[place]
            values += [None] * len(chart.columns) if row is None else [cell.value for cell in row]
        is_reported = report.steps[place] is not None
        yield [twins.iso(start_ms), twins.iso(end_ms), is_reported, *values]


def _suffix(chart: Chart, column: str) -> str:
    if column in ("n", "amplification") or not chart.unit:
        return ""
    return {"ms": "_ms", "%": "_percent", "B": "_bytes"}[chart.unit]


def _about(report: Report, unknown: tuple[str, ...]) -> dict[str, Any]:
    span = report.span
    return {
        "from": twins.iso(span.start_ms),
        "to": twins.iso(span.end_ms),
        "step_ms": span.step_ms,
        "read_at": twins.iso(report.read_at_ms),
        "source": "exact" if report.has_reports else "none",
        "writers": report.reporters,
        "programs": [asdict(one) for one in report.programs],
        "reporting_since": twins.iso(report.since_ms),
        "gaps": [[twins.iso(start), twins.iso(end)] for start, end in report.gaps],
        "late_stores": [
            {"store_id": one.store_id, "name": one.name, "why": one.problem.detail}
            for one in report.late
        ],
        "ignored_parameters": unknown,
        "total": asdict(summary_of(report)),
    }


def _chart(chart: Chart) -> dict[str, Any]:
    return {
        "name": chart.name,
        "title": chart.title,
        "kind": chart.kind,
        "unit": chart.unit,
        "exactness": chart.exactness,
        "columns": [asdict(column) for column in chart.columns],
        "rows": [None if row is None else [cell.value for cell in row] for row in chart.rows],
        "texts": [None if row is None else [cell.text for cell in row] for row in chart.rows],
    }


def _heat(heat: HeatMap) -> dict[str, Any]:
    return {
        "series": heat.series,
        "bands": heat.bands,
        "hours": [{"from": twins.iso(hour.start_ms), "counts": hour.counts} for hour in heat.hours],
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        **asdict(mark),
        "at": twins.iso(mark.at_ms),
        "until": twins.iso(mark.until_ms),
        "word": mark.word,
    }
