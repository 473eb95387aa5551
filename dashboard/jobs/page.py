"""One job as its page shows it: how far it is, and a page of what became of its items."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard.forms import PAGE_SIZES
from dashboard.live import stamp_of
from dashboard.models import Job
from dashboard.models.jobs import PAUSED, RUNNING

from . import life
from .item_rows import RESULTS, ItemRow, item_rows, result_counts
from .rows import JobRow, row_of
from .seeing import find_job

USUAL_SIZE = 50


class ItemFilters(forms.Form):
    """One field per parameter of the page's address."""

    result = forms.ChoiceField(
        required=False,
        choices=[("", lazy("Any")), *((r, r) for r in RESULTS)],
        label=lazy("Result"),
    )
    live = forms.ChoiceField(
        required=False, choices=[("", lazy("On")), ("off", lazy("Off"))], label=lazy("Live")
    )
    page = forms.IntegerField(required=False, min_value=1, max_value=10_000_000, label=lazy("Page"))
    per = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(n, str(n)) for n in PAGE_SIZES],
        label=lazy("Rows per page"),
    )

    def __init__(self, query: QueryDict) -> None:
        super().__init__(query, auto_id="filter-%s")
        self.is_valid()


@dataclass(frozen=True, slots=True)
class JobPage:
    """``results`` counts all items; ``items`` are one page of those that were asked for.

    ``has_changes`` tells whether any item changed what could be taken back."""

    job: Job
    row: JobRow
    results: dict[str, int]
    items: tuple[ItemRow, ...]
    result: str
    page: int
    pages: int
    has_changes: bool
    has_runner: bool
    read_at_ms: int

    @property
    def stamp(self) -> str:
        """Digest what is on the page."""
        return stamp_of(self.row.seen, self.results, self.items, self.pages, self.has_runner)

    @property
    def milestone(self) -> str:
        """What is announced when it changes: the state, and each quarter of the way."""
        row = self.row
        silent = "silent" if row.silent_s is not None else ""
        part = row.part.percent // 25 if row.part else 0
        return f"{row.state}-{row.wanted}-{silent}-{row.percent // 25}-{part}"

    @property
    def announcement(self) -> str:
        """One sentence on how far it is."""
        row = self.row
        if row.is_over:
            return row.outcome
        if row.silent_s is not None:
            return _("The runner of this job gives no sign of life.")
        far = {"done": f"{row.with_result:,}", "total": f"{row.total:,}"}
        if row.state == RUNNING and row.part:
            told = {"name": row.current, "percent": row.part.percent}
            return _("Running: %(name)s, %(percent)d %% done.") % told
        if row.state == PAUSED and row.outcome:
            return _("Paused: %s") % row.outcome
        if row.state == RUNNING:
            return _("Running: %(done)s of %(total)s have a result.") % far
        return _("%(word)s: %(done)s of %(total)s have a result.") % {
            "word": row.word.capitalize(),
            **far,
        }


def job_page(job_id: int, filters: ItemFilters) -> JobPage:
    """Read the job and one page of its items; a page beyond the end is the last one.

    Raises:
        ProblemError: there is no such job.
    """
    job = find_job(job_id)
    read = filters.cleaned_data
    result, per = read.get("result") or "", read.get("per") or USUAL_SIZE
    results = result_counts(job)
    matched = results.get(result, 0) if result else sum(results.values())
    pages = max(1, -(-matched // per))
    page = min(read.get("page") or 1, pages)
    items = job.items.filter(state=result) if result else job.items.all()
    first = (page - 1) * per
    return JobPage(
        job=job,
        row=row_of(job),
        results=results,
        items=tuple(item_rows(job, items[first : first + per], linked=True)),
        result=result,
        page=page,
        pages=pages,
        has_changes=job.items.filter(change_id__isnull=False).exists(),
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )
