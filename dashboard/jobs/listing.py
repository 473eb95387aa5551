"""The list of jobs: what the address asks for, and one page of what there is."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django import forms
from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard.forms import PAGE_SIZES, Filters
from dashboard.live import stamp_of
from dashboard.models import Job
from dashboard.models.jobs import CANCELLED, DONE, FAILED, FINISHED, PAUSED, RUNNING, WAITING
from dashboard.services.tree import shown

from . import life
from .kinds import KINDS
from .rows import JobRow, rows_of
from .seeing import visible_jobs

#: States in the order of the list: what happens now, what will, what has.
STATES = (RUNNING, PAUSED, WAITING, DONE, FAILED, CANCELLED)
USUAL_SIZE = 50
_MOST_PEOPLE = 200


class JobFilters(Filters):
    """One field per parameter of the list's address."""

    state = forms.ChoiceField(
        required=False, choices=[("", lazy("Any")), *((s, s) for s in STATES)], label=lazy("State")
    )
    kind = forms.CharField(required=False, max_length=40, label=lazy("Kind"))
    person = forms.CharField(required=False, max_length=150, label=lazy("Person"))
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

    def asked(self) -> Asked:
        """What is asked for, with everything that is not valid left out."""
        self.is_valid()
        read = self.cleaned_data
        return Asked(
            state=read.get("state") or "",
            kind=read.get("kind") or "",
            person=read.get("person") or "",
            page=read.get("page") or 1,
            per=read.get("per") or USUAL_SIZE,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list is asked for; an empty text asks for nothing in particular."""

    state: str = ""
    kind: str = ""
    person: str = ""
    page: int = 1
    per: int = USUAL_SIZE


@dataclass(frozen=True, slots=True)
class JobList:
    """One page of jobs. ``counts`` are those of all states, whichever the list is limited to."""

    rows: tuple[JobRow, ...]
    counts: dict[str, int]
    matched: int
    page: int
    pages: int
    last: JobRow | None
    has_runner: bool
    read_at_ms: int

    @property
    def total(self) -> int:
        """Jobs in any state."""
        return sum(self.counts.values())

    @property
    def stamp(self) -> str:
        """Digest what is on the page."""
        rows = tuple(row.seen for row in self.rows)
        return stamp_of(rows, self.counts, self.pages, self.has_runner)

    @property
    def milestone(self) -> str:
        """What is announced when it changes: how many are in which state."""
        return ".".join(f"{state}-{count}" for state, count in self.counts.items())

    @property
    def announcement(self) -> str:
        """One sentence on what there is."""
        if self.running:
            return _("%(running)s running, %(waiting)s waiting.") % {
                "running": f"{self.running:,}",
                "waiting": f"{self.counts.get(WAITING, 0):,}",
            }
        if self.last is None:
            return _("Nothing is running. No job has finished yet.")
        return _("Nothing is running. Last job: %(title)s. %(outcome)s") % {
            "title": self.last.title,
            "outcome": self.last.outcome,
        }

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return self.counts.get(RUNNING, 0)

    @property
    def active(self) -> int:
        """Jobs that run or will run by themselves."""
        return self.running + self.counts.get(WAITING, 0)


def list_jobs(asked: Asked) -> JobList:
    """Read one page; a page beyond the end is the last one."""
    limited = _limited(asked)
    counted = limited.order_by().values_list("state").annotate(count=Count("pk"))
    counts = {state: count for state, count in counted if state in STATES}
    matched = counts.get(asked.state, 0) if asked.state else sum(counts.values())
    pages = max(1, -(-matched // asked.per))
    page = min(asked.page, pages)
    first = (page - 1) * asked.per
    return JobList(
        rows=tuple(rows_of(matching(asked)[first : first + asked.per])),
        counts={state: counts[state] for state in STATES if state in counts},
        matched=matched,
        page=page,
        pages=pages,
        last=_last(),
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def matching(asked: Asked) -> QuerySet[Job]:
    """Every job that is asked for, in the order of the list."""
    jobs = _limited(asked)
    if asked.state:
        jobs = jobs.filter(state=asked.state)
    ranks = [When(state=state, then=Value(at)) for at, state in enumerate(STATES[:3])]
    rank = Case(*ranks, default=Value(3), output_field=IntegerField())
    return jobs.annotate(rank=rank).order_by("rank", "-created_at", "-pk")


def _limited(asked: Asked) -> QuerySet[Job]:
    jobs = visible_jobs()
    if asked.kind:
        jobs = jobs.filter(kind=asked.kind)
    if asked.person:
        jobs = jobs.filter(actor=asked.person)
    return jobs


def _last() -> JobRow | None:
    finished = visible_jobs().filter(state__in=FINISHED).order_by("-finished_at", "-pk")
    return next(iter(rows_of(finished[:1])), None)


def kind_choices() -> list[tuple[str, str]]:
    """Kinds that jobs have or may have, with what people call them."""
    names = {*KINDS, *visible_jobs().order_by().values_list("kind", flat=True).distinct()}
    choices = [(name, KINDS[name].word if name in KINDS else shown(name)) for name in names]
    return sorted(choices, key=lambda choice: choice[1].lower())


def people() -> list[str]:
    """Who has asked for the jobs that are kept."""
    names = visible_jobs().order_by("actor").values_list("actor", flat=True).distinct()
    return [name for name in names[:_MOST_PEOPLE] if name]
