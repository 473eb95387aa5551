"""Latency: when did it get slow, and why? Of all stores or of one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard import latency_listing
from dashboard.forms_latency import LatencyFilters
from dashboard.links import Link
from dashboard.preferences import preferences_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.event_marks import Mark, marks_between
from dashboard.services.fleet import LIVE_AGE_S, fleet, page_budget_s
from dashboard.services.latency_charts import charts_of
from dashboard.services.latency_heat import heat_map_of
from dashboard.services.latency_look import heat_span
from dashboard.services.latency_report import Report, report_of
from dashboard.services.latency_summary import summary_of
from dashboard.services.only_read import is_only_read
from dashboard.services.problems import Problem
from dashboard.services.readers import Reader, refresh_all

from .answers import tells_problems


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asked for, and what was found."""

    form: LatencyFilters
    link: Link
    store: Reader | None
    readers: Sequence[Reader]
    agents: tuple[str, ...]
    problem: Problem | None
    report: Report
    marks: list[Mark]


def asked(request: ConsoleRequest, store_id: str | None) -> Asked:
    """Read the address, look at the stores that it names."""
    form = LatencyFilters(request.GET, zone=preferences_of(request).shown_zone)
    wanted = form.wanted()
    store = None if store_id is None else fleet().reader(store_id)
    began_s, budget_s = time.monotonic(), page_budget_s()
    # The index gives names only, and may take a third of the time; the reports have the rest.
    names_s = budget_s / 3
    scan = fleet().refreshed(budget_s=names_s, max_age_s=LIVE_AGE_S) if store is None else None
    if store is not None:
        refresh_all([store], budget_s=names_s, max_age_s=LIVE_AGE_S)
    every = [store] if store is not None else list(scan.readers if scan else ())
    readers = [r for r in every if not wanted.agents or store or r.agent in wanted.agents]
    report = report_of(readers, wanted, budget_s=budget_s - (time.monotonic() - began_s))
    path = reverse("latency") if store is None else reverse("store_latency", args=[store.id])
    return Asked(
        form=form,
        link=Link(path, tuple(form.asked())),
        store=store,
        readers=readers,
        agents=tuple(sorted({reader.agent for reader in every})),
        problem=scan.problem if scan else None,
        report=report,
        marks=marks_between(readers, report.span.start_ms, report.span.end_ms),
    )


@require_safe
@role_required("viewer")
@tells_problems
def latency(request: ConsoleRequest, store_id: str | None = None) -> HttpResponseBase:
    """Show the charts, the heat map, the sessions that cost most, and what happened meanwhile."""
    found = asked(request, store_id)
    return render(request, "latency.html", _context(request, found))


def _context(request: ConsoleRequest, found: Asked) -> dict[str, Any]:
    zone = preferences_of(request).shown_zone
    report, link = found.report, found.link
    labels = latency_listing.step_labels(link, report.span, zone)
    pinned = latency_listing.at_window(link, report.span.start_ms, report.span.end_ms)
    charts = charts_of(report)
    heat = heat_map_of(report)
    hours = latency_listing.step_labels(link, heat_span(report.read_at_ms), zone)
    return {
        "form": found.form,
        "report": report,
        "store": found.store,
        "is_not_applicable": found.store is not None and is_only_read(found.store),
        "agents": found.agents,
        "problem": found.problem,
        "notes": latency_listing.notes(found.form),
        "errors": latency_listing.errors(found.form),
        "windows": latency_listing.window_choices(link, report.wanted.hours),
        "zooms": latency_listing.zooms(link, report.span, now_ms=report.read_at_ms),
        "span_text": latency_listing.span_text(report.span, zone),
        "source": latency_listing.source_sentence(report),
        "gaps": latency_listing.gap_sentences(report, zone),
        "summary": summary_of(report),
        "charts": [
            (chart, list(zip(labels, chart.labelled_rows, strict=True))) for chart in charts
        ],
        "heat": heat,
        "heat_hours": list(zip(heat.hours, hours, strict=True)),
        "marks": found.marks,
        "links": {
            "self": str(link),
            "clean": link.path,
            "json": _twin(pinned, found, "json"),
            "csv": _twin(pinned, found, "csv"),
            "zoom": str(link.drop("from", "to", "window")),
        },
    }


def _twin(link: Link, found: Asked, kind: str) -> str:
    if found.store is None:
        return str(link.at(reverse(f"latency_{kind}")))
    return str(link.at(reverse(f"store_latency_{kind}", args=[found.store.id])))
