"""A plan as its page shows it: totals by action, facets, one page of items; after it, its run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.jobs import life
from dashboard.jobs.rows import JobRow, row_of
from dashboard.jobs.seeing import visible_jobs
from dashboard.live import stamp_of
from dashboard.models import TidyPlan
from dashboard.models.jobs import FINISHED

from .fleet import page_budget_s
from .readers import Reader, refresh_all
from .tidy_items import (
    FACETS,
    PER_PAGE,
    ItemRow,
    WantedItems,
    counts_of,
    hidden_of,
    item_rows,
    narrowed,
)
from .tidy_plan_rows import find_plan
from .tidy_policy import is_empty, told_policy
from .tidy_words import ACTION_TONES, ACTION_WORDS, ACTIONS, planned_sentence, ran_sentence, word
from .tree import shown

_FRESH_S = 30.0


@dataclass(frozen=True, slots=True)
class ActionTotal:
    """What would be done to how much, by one action."""

    action: str
    word: str
    tone: str
    count: int
    bytes: int
    frees: int


@dataclass(frozen=True, slots=True)
class PlanPage:
    """Everything on the page. ``state``: making, refused, ready, expired, applying, applied or
    taking-back."""

    plan: TidyPlan
    reader: Reader
    state: str
    job: JobRow | None
    totals: tuple[ActionTotal, ...]
    policy: tuple[tuple[str, str, str], ...]
    rows: tuple[ItemRow, ...]
    matched: int
    total: int
    page: int
    pages: int
    facets: Mapping[str, Mapping[str, int]]
    seen: str
    has_runner: bool
    read_at_ms: int

    @property
    def is_empty(self) -> bool:
        """Whether its policy takes nothing away."""
        return is_empty(self.plan.policy)

    @property
    def acting(self) -> int:
        """How many items would be changed."""
        return sum(one.count for one in self.totals if one.action != "keep")

    @property
    def deleting(self) -> int:
        """How many items would really be deleted."""
        return sum(one.count for one in self.totals if one.action == "delete")

    @property
    def frees_bytes(self) -> int:
        """Bytes that it would free, as predicted."""
        return sum(one.frees for one in self.totals)

    @property
    def sentence(self) -> str:
        """What it would do, or what it came to."""
        plan = self.plan
        if self.state == "making":
            return _("The plan is being made.")
        if self.state == "refused":
            return shown(plan.problem)
        if plan.ran_at is not None:
            return ran_sentence(
                plan.outcomes, predicted=plan.predicted_bytes, achieved=plan.achieved_bytes
            )
        if self.state == "applying":
            return _("The plan is being applied.")
        return planned_sentence(plan.totals, is_empty=self.is_empty)

    @property
    def may_take_back(self) -> bool:
        """Whether something of its run can still be taken back."""
        plan = self.plan
        if plan.ran_at is None:  # its runner was killed, and then the job was cancelled
            return self.state == "applied" and bool(plan.run_id)
        until_ms = plan.take_back_until_ms
        is_in_time = until_ms is not None and until_ms > self.read_at_ms
        return self.state == "applied" and is_in_time and bool(plan.outcomes.get("done"))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the library says of the plan besides."""
        return tuple(shown(str(text)) for text in self.plan.warnings)

    @property
    def is_busy(self) -> bool:
        """Whether a job is at it, so that the page changes by itself."""
        return self.job is not None

    @property
    def stamp(self) -> str:
        """Digest what changes by itself on the page."""
        job = self.job.seen if self.job else None
        return stamp_of(self.state, job, self.plan.outcomes, self.has_runner)


def plan_page(plan_id: str, wanted: WantedItems) -> PlanPage:
    """Read a plan and one page of its items.

    Raises:
        ProblemError: there is no such plan, or not for whoever asks.
    """
    plan, reader = find_plan(plan_id)
    refresh_all([reader], budget_s=page_budget_s(), max_age_s=_FRESH_S)  # what sessions are called
    job = _job_of(plan)
    base = plan.items.all()
    hidden = hidden_of(base, wanted)
    found = narrowed(base, wanted, hidden)
    matched = found.count()
    pages = max(1, -(-matched // PER_PAGE))
    page = min(max(1, wanted.page), pages)
    some = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    state = _state(plan, job)
    return PlanPage(
        plan=plan,
        reader=reader,
        state=state,
        job=job,
        totals=_totals(plan),
        policy=tuple(told_policy(plan.policy, plan.sources)),
        rows=tuple(item_rows(some, reader)),
        matched=matched,
        total=base.count(),
        page=page,
        pages=pages,
        facets={name: counts_of(base, wanted, hidden, name) for name in FACETS},
        seen=seen_digest(plan) if state == "ready" else "",
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def seen_digest(plan: TidyPlan) -> str:
    """Names exactly what a page of the plan shows: the library's plan and what is excluded."""
    told = hashlib.sha256(plan.digest.encode())
    excluded = plan.items.filter(is_excluded=True).order_by("position")
    for ident in excluded.values_list("ident", flat=True).iterator(2000):
        told.update(f"\0{ident}".encode())
    return told.hexdigest()


def is_as_seen(seen: PlanPage) -> bool:
    """Whether the plan still is what was read: by its digest, and by what it would delete."""
    now = TidyPlan.objects.only("digest", "totals").get(pk=seen.plan.pk)
    return seen_digest(now) == seen.seen and now.totals == seen.plan.totals


def _totals(plan: TidyPlan) -> tuple[ActionTotal, ...]:
    return tuple(
        ActionTotal(
            action=name,
            word=word(ACTION_WORDS, name),
            tone=ACTION_TONES[name],
            count=plan.totals[name]["count"],
            bytes=plan.totals[name]["bytes"],
            frees=plan.totals[name]["frees"],
        )
        for name in ACTIONS
        if name in plan.totals
    )


def _job_of(plan: TidyPlan) -> JobRow | None:
    """The job that is at the plan now, whoever asked for it."""
    ids = [one for one in (plan.back_job_id, plan.job_id, plan.look_job_id) if one is not None]
    jobs = visible_jobs().filter(pk__in=ids).exclude(state__in=FINISHED)
    job = jobs.order_by("pk").first()
    return None if job is None else row_of(job)


def _state(plan: TidyPlan, job: JobRow | None) -> str:
    if plan.problem:
        return "refused"
    if not plan.is_ready:
        return "making"
    if plan.job_id is not None:
        if job is not None:
            return "taking-back" if job.id == plan.back_job_id else "applying"
        return "applied"
    return "expired" if plan.expires_at < timezone.now() else "ready"
