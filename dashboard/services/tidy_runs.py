"""Plans and runs of the clean-up as a list: what each did, and until when it can be taken back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.models import Job, TidyPlan
from dashboard.models.jobs import FINISHED

from .fleet import fleet
from .tidy_policy import is_empty
from .tidy_words import planned_sentence, ran_sentence
from .tree import shown

PER_PAGE = 50
_TONES = {
    "making": "live",
    "refused": "bad",
    "ready": "watch",
    "expired": "none",
    "applying": "live",
    "applied": "ok",
}


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan. ``may_take_back``: something of its run can still be taken back."""

    id: str
    store_id: str
    store: str
    state: str
    word: str
    tone: str
    sentence: str
    actor: str
    reason: str
    made_at_ms: int
    ran_at_ms: int | None
    predicted_bytes: int
    achieved_bytes: int
    take_back_until_ms: int | None
    may_take_back: bool
    job_id: int | None


@dataclass(frozen=True, slots=True)
class PlanList:
    """One page of plans, newest first."""

    rows: tuple[PlanRow, ...]
    total: int
    page: int
    pages: int


def list_plans(page: int | None) -> PlanList:
    """A page of the plans of stores in scope; all of them with None."""
    names = {reader.id: reader.name for reader in fleet().scan().readers}
    found = TidyPlan.objects.defer("record").filter(store_id__in=list(names))
    total = found.count()
    pages = max(1, -(-total // PER_PAGE))
    number = min(max(1, page or 1), pages)
    some = found if page is None else found[(number - 1) * PER_PAGE : number * PER_PAGE]
    rows = list(some)
    ids = [row.job_id for row in rows if row.job_id is not None]
    busy = set(
        Job.objects.filter(pk__in=ids).exclude(state__in=FINISHED).values_list("pk", flat=True)
    )
    now_ms = time.time_ns() // 1_000_000
    return PlanList(
        tuple(_row(one, names[one.store_id], busy, now_ms) for one in rows), total, number, pages
    )


def _row(one: TidyPlan, name: str, busy: set[int], now_ms: int) -> PlanRow:
    state = _state(one, busy)
    words = {
        "making": _("being made"),
        "refused": _("refused"),
        "ready": _("not applied"),
        "expired": _("too old"),
        "applying": _("being applied"),
        "applied": _("applied"),
    }
    until_ms = one.take_back_until_ms
    return PlanRow(
        id=one.pk,
        store_id=one.store_id,
        store=name,
        state=state,
        word=words[state],
        tone=_TONES[state],
        sentence=_sentence(one, state),
        actor=shown(one.actor),
        reason=shown(one.reason),
        made_at_ms=one.created_at_ms,
        ran_at_ms=one.ran_at_ms,
        predicted_bytes=one.predicted_bytes,
        achieved_bytes=one.achieved_bytes,
        take_back_until_ms=until_ms,
        may_take_back=until_ms is not None and until_ms > now_ms and bool(one.outcomes.get("done")),
        job_id=one.job_id,
    )


def _state(one: TidyPlan, busy: set[int]) -> str:
    if one.problem:
        return "refused"
    if not one.is_ready:
        return "making"
    if one.job_id is not None:
        return "applying" if one.job_id in busy else "applied"
    return "expired" if one.expires_at < timezone.now() else "ready"


def _sentence(one: TidyPlan, state: str) -> str:
    if state == "refused":
        return shown(one.problem)
    if state == "making":
        return ""
    if one.ran_at is not None:
        return ran_sentence(
            one.outcomes, predicted=one.predicted_bytes, achieved=one.achieved_bytes
        )
    return planned_sentence(one.totals, is_empty=is_empty(one.policy))
