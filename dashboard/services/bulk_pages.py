"""A plan as a page shows it: counted, filtered, cut into pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.models import Plan

from .bulk_items import PlanItem
from .bulk_plans import has_expired, items_of
from .bulk_words import left_alone, outcome, told_params

PER_PAGE = 100
SHOWS = ("changes", "skipped", "all")
_MOST_REASONS = 6


@dataclass(frozen=True, slots=True)
class PlanPage:
    """One page of a plan's sessions, and what the whole plan comes to.

    ``reasons`` are why sessions are left as they are, with how many, the most frequent first.
    """

    items: tuple[PlanItem, ...]
    show: str
    shown_count: int
    page: int
    pages: int
    outcome: str
    left_alone: str
    reasons: tuple[tuple[str, int], ...]
    told: tuple[tuple[str, str], ...]
    skipped: int
    expired: bool


def plan_page(plan: Plan, *, show: str, page: int) -> PlanPage:
    """The page with that number of those sessions; a number beyond the end gives the last."""
    items = items_of(plan)
    chosen = chosen_items(items, show)
    pages = max(1, -(-len(chosen) // PER_PAGE))
    page = min(max(1, page), pages)
    skipped = sum(not item.changes for item in items)
    reasons = Counter(item.effects.skip for item in items if not item.changes)
    return PlanPage(
        items=tuple(chosen[(page - 1) * PER_PAGE : page * PER_PAGE]),
        show=show,
        shown_count=len(chosen),
        page=page,
        pages=pages,
        outcome=outcome(plan.action, len(items) - skipped, len(items)) if plan.action else "",
        left_alone=left_alone(skipped),
        reasons=tuple(reasons.most_common(_MOST_REASONS)),
        told=tuple(told_params(plan.action, plan.params)),
        skipped=skipped,
        expired=has_expired(plan),
    )


def chosen_items(items: Sequence[PlanItem], show: str) -> list[PlanItem]:
    """Those that would change, those that stay as they are, or all."""
    if show == "all":
        return list(items)
    return [item for item in items if item.changes is (show == "changes")]
