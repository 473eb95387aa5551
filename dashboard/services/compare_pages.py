"""A backup beside its store: what a restore would do, with the difference of one session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.jobs.seeing import visible_jobs
from dashboard.models import StorePlan, StorePlanSession
from dashboard.models.jobs import FINISHED

from .backup_asking import ref_of
from .backup_catalogue import Kept, find_backup
from .backup_places import suggested_name
from .backup_rows import BackupRow, row_of
from .backup_words import ACTIONS, action_tone, action_word
from .backup_work import RESTORE
from .comparing import Comparison, compare, names_by_id
from .kept_comparisons import find_plan
from .problems import Problem, ProblemError
from .restore_plans import changes_of, difference
from .rows import readable
from .tree import shown

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class ComparedSession:
    """One session of the comparison. ``ref`` is what it goes by in the backup."""

    number: int
    ref: str
    key: str
    title: str
    action: str
    word: str
    tone: str


@dataclass(frozen=True, slots=True)
class ComparePage:
    """Everything on the page. ``looked_at`` is the session whose difference is shown."""

    plan: StorePlan
    row: BackupRow
    rows: tuple[ComparedSession, ...]
    tabs: tuple[tuple[str, str, int], ...]
    action: str
    page: int
    pages: int
    looked_at: ComparedSession | None
    comparison: Comparison | None
    problem: Problem | None
    new_name: str
    job_id: int | None
    read_at_ms: int

    @property
    def is_whole(self) -> bool:
        """Whether in place everything would be made as it was."""
        return bool(self.plan.summary["whole"])

    @property
    def is_one(self) -> bool:
        """Whether it is about one session, of which fields can be chosen."""
        return not self.is_whole and sum(self.plan.summary["counts"].values()) == 1

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it is limited to."""
        return tuple(shown(name) for name in self.plan.summary["fields"])

    @property
    def changes(self) -> int:
        """How many sessions a restore in place would touch."""
        return changes_of(self.plan.summary["counts"])

    @property
    def has_room(self) -> bool:
        """Whether the disk had what a restore needs."""
        return bool(self.plan.summary["free_bytes"] >= self.plan.summary["needed_bytes"])

    @property
    def tone(self) -> str:
        """How the verdict is coloured."""
        counts = self.plan.summary["counts"]
        if not self.has_room or (counts["unusable"] and not self.changes):
            return "bad"
        return "watch" if counts["unusable"] or counts["removed"] else "ok"


def compare_page(
    backup_id: str, plan_id: int, *, action: str, page: int, show: int | None
) -> ComparePage:
    """One page of a kept comparison.

    Raises:
        ProblemError: there is no such backup or comparison.
    """
    kept = find_backup(backup_id)
    plan = find_plan(kept, plan_id)
    counts = plan.summary["counts"]
    action = action if counts.get(action) else ""
    matched = counts[action] if action else sum(counts.values())
    pages = max(1, -(-matched // PER_PAGE))
    page = min(max(1, page), pages)
    looked = _looked_at(plan, show)
    comparison, problem = _difference(kept, plan, looked)
    job = visible_jobs().filter(kind=RESTORE, params__plan=plan.pk).exclude(state__in=FINISHED)
    return ComparePage(
        plan=plan,
        row=row_of(kept),
        rows=tuple(_rows(plan, action, page)),
        tabs=_tabs(counts),
        action=action,
        page=page,
        pages=pages,
        looked_at=_row(looked) if looked else None,
        comparison=comparison,
        problem=problem,
        new_name=suggested_name(kept.name, backup_id),
        job_id=job.values_list("pk", flat=True).first(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def compared(plan: StorePlan, action: str = "") -> Iterator[ComparedSession]:
    """Every session of a comparison, or those of one action."""
    rows = plan.sessions.filter(action=action) if action else plan.sessions.all()
    return map(_row, rows.iterator(chunk_size=500))


def fields_of(kept: Kept, key: str, ids: tuple[str, ...]) -> tuple[str, ...]:
    """The fields behind the ids that a comparison of one session named.

    Raises:
        ProblemError: one of them is in neither of its states.
    """
    plan = difference(kept, key, None)
    states = (*plan.before.values(), *plan.after.values())
    names = names_by_id(name for entry in states for name in entry)
    if not set(ids) <= names.keys():
        raise ProblemError(
            Problem(
                _("There is no such field"),
                _("The session has no field of that name, neither now nor in the backup."),
                _("Compare it again."),
                404,
            )
        )
    return tuple(names[ident] for ident in ids)


def _looked_at(plan: StorePlan, show: int | None) -> StorePlanSession | None:
    rows = plan.sessions.all()
    if show is not None:
        return rows.filter(position=show - 1).first()
    first = list(rows[:2])
    return first[0] if len(first) == 1 else None


def _difference(
    kept: Kept, plan: StorePlan, looked: StorePlanSession | None
) -> tuple[Comparison | None, Problem | None]:
    """What is there now and what would be, read anew."""
    if looked is None or looked.action in ("unchanged", "unusable"):
        return None, None
    if looked.action == "removed":
        return None, None
    try:
        now = difference(kept, looked.key, tuple(plan.summary["fields"]) or None)
    except ProblemError as error:
        return None, error.problem
    return compare(now.before.get(looked.key), now.after.get(looked.key)), None


def _rows(plan: StorePlan, action: str, page: int) -> Iterator[ComparedSession]:
    rows = plan.sessions.filter(action=action) if action else plan.sessions.all()
    first = (page - 1) * PER_PAGE
    return map(_row, rows[first : first + PER_PAGE])


def _row(one: StorePlanSession) -> ComparedSession:
    key = shown(one.key)
    return ComparedSession(
        number=one.position + 1,
        ref=ref_of(one.key),
        key=key,
        title=readable(key),
        action=one.action,
        word=action_word(one.action),
        tone=action_tone(one.action),
    )


def _tabs(counts: dict[str, int]) -> tuple[tuple[str, str, int], ...]:
    found = ((name, action_word(name), counts[name]) for name in ACTIONS if counts.get(name))
    return (("", _("all"), sum(counts.values())), *found)
