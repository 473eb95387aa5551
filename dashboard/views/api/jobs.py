"""Long work, for programs that only look."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from dashboard.api.answers import answer
from dashboard.api.operations import Call, operation
from dashboard.api.pages import page_of
from dashboard.api.parameters import PAGING
from dashboard.api.shapes import maybe_moment, moment
from dashboard.jobs.seeing import find_job, visible_jobs
from dashboard.models import Job, JobItem
from dashboard.services.tree import masked


@operation("listJobs", "List the jobs", answer="Jobs", group="Jobs", parameters=PAGING)
def list_of_jobs(call: Call) -> HttpResponse:
    """One page of the jobs all of whose stores are within the token's agents; newest first."""
    found = visible_jobs().order_by("-created_at", "-pk").prefetch_related("stores")
    page, rows = page_of(found, call.query)
    return answer({**page, "jobs": [_job(row) for row in rows]})


@operation(
    "getJob",
    "Read a job",
    description="With one page of its items in the order in which they are done.",
    answer="Job",
    group="Jobs",
    parameters=PAGING,
    problems=("not_found",),
)
def one_job(call: Call, job_id: int) -> HttpResponse:
    """A job, and what became of its items."""
    job = find_job(job_id)
    page, rows = page_of(JobItem.objects.filter(job=job).order_by("position"), call.query)
    return answer({**_job(job), **page, "items": [_item(row) for row in rows]})


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.pk,
        "kind": job.kind,
        "title": masked(job.title),
        "state": job.state,
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
        "skipped": job.skipped,
        "current": masked(job.current),
        "outcome": masked(job.outcome),
        "actor": masked(job.actor),
        "via": job.via,
        "reason": masked(job.reason),
        "stores": [row.store_id for row in job.stores.all()],
        "created_at": moment(job.created_at),
        "started_at": maybe_moment(job.started_at),
        "finished_at": maybe_moment(job.finished_at),
    }


def _item(item: JobItem) -> dict[str, Any]:
    return {
        "number": item.position + 1,
        "store_id": item.store_id,
        "key": masked(item.key),
        "state": item.state,
        "message": masked(item.message),
        "attempts": item.attempts,
        "change_id": item.change_id,
        "finished_at": maybe_moment(item.finished_at),
    }
