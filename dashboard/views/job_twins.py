"""Jobs and their reports for programs: JSON and CSV of everything that the address asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.jobs.item_rows import ItemRow, item_rows
from dashboard.jobs.listing import JobFilters, matching
from dashboard.jobs.page import ItemFilters
from dashboard.jobs.rows import JobRow, row_of, rows_of
from dashboard.jobs.seeing import find_job
from dashboard.models import Job, JobItem
from dashboard.roles import role_required

from .answers import tells_problems

_AT_ONCE = 500
_TIMES = ("created_at", "starts_at", "started_at", "finished_at")
_FIELDS = (
    *("id", "kind", "title", "state", "wanted", "actor", "via", "reason", "total", "done"),
    *("failed", "skipped", "current", "outcome", "attempts", "silent_s"),
)
_ITEM_FIELDS = (
    *("number", "store_id", "store", "key", "state", "message", "attempts", "change_id"),
)


@require_safe
@role_required("viewer")
@tells_problems
def jobs_json(request: HttpRequest) -> HttpResponseBase:
    """Give every job that the address asks for as JSON."""
    form = JobFilters(request.GET)
    content = {
        "ignored_parameters": form.unknown(),
        "jobs": [_plain(row) for row in _jobs(form)],
    }
    return twins.json_response("jobs", content)


@require_safe
@role_required("viewer")
@tells_problems
def jobs_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same jobs as CSV."""
    rows = [list(_plain(row).values()) for row in _jobs(JobFilters(request.GET))]
    return twins.csv_response("jobs", [*_FIELDS, *_TIMES, "stores"], rows)


def _jobs(form: JobFilters) -> Iterator[JobRow]:
    asked, first = form.asked(), 0
    while some := rows_of(matching(asked)[first : first + _AT_ONCE]):
        yield from some
        first += _AT_ONCE


def _plain(row: JobRow) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    for name in _TIMES:
        plain[name] = twins.iso(getattr(row, f"{name}_ms"))
    plain["stores"] = " ".join(row.stores)
    return plain


@require_safe
@role_required("viewer")
@tells_problems
def job_json(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Give the report of a job as JSON: what it is, and the result of each item asked for."""
    job = find_job(job_id)
    items = map(_with_report, _items(job, request))
    return twins.json_stream(f"job-{job_id}", _plain(row_of(job)), "items", items)


@require_safe
@role_required("viewer")
@tells_problems
def job_csv(request: HttpRequest, job_id: int) -> HttpResponseBase:
    """Give the results as CSV."""
    rows = (list(_plain_item(item).values()) for item in _items(find_job(job_id), request))
    return twins.csv_response(f"job-{job_id}", [*_ITEM_FIELDS, "finished_at"], rows)


def _items(job: Job, request: HttpRequest) -> Iterator[ItemRow]:
    items: QuerySet[JobItem] = JobItem.objects.filter(job=job).order_by("position")
    if result := ItemFilters(request.GET).cleaned_data.get("result"):
        items = items.filter(state=result)
    return item_rows(job, items.iterator(chunk_size=_AT_ONCE), linked=False)


def _plain_item(item: ItemRow) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(item, name) for name in _ITEM_FIELDS}
    plain["finished_at"] = twins.iso(item.finished_at_ms)
    return plain


def _with_report(item: ItemRow) -> dict[str, Any]:
    plain = _plain_item(item)
    return plain if item.report is None else {**plain, "report": item.report}
