"""Can I get it back? Every backup, what keeps it, what runs, what comes next, and how much room."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.jobs.rows import JobRow, rows_of
from dashboard.jobs.seeing import visible_jobs
from dashboard.live import stamp_of
from dashboard.models import BackupSchedule
from dashboard.models.jobs import FINISHED
from sessionstore import backup as backups
from sessionstore.errors import SessionStoreError, StoreIOError
from sessionstore.treefiles import free_bytes

from .backup_catalogue import Catalogue, Kept, catalogue
from .backup_places import root_of, usual_root
from .backup_reports import policy_of
from .backup_rows import BackupRow, Month, day_of, month_of, row_of
from .backup_schedules import ScheduleRow, list_schedules
from .backup_words import rule_word
from .backup_work import KINDS
from .fleet import fleet
from .only_read import writable
from .problems import Problem
from .readers import Reader

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class WantedBackups:
    """What the list is asked for. ``day`` is of UTC; ``month`` moves the calendar."""

    store_id: str = ""
    state: str = ""
    day: date | None = None
    month: date | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class StoreChoice:
    """A store that may be backed up, with what that would read; None where it is not known."""

    id: str
    name: str
    sessions: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class BackupList:
    """One page of the list. ``matched`` of ``total`` are on all its pages.

    ``sound`` are the stores, by id, that a whole and sound backup is of.
    """

    rows: tuple[BackupRow, ...]
    matched: int
    total: int
    total_bytes: int
    page: int
    pages: int
    month: Month
    stores: tuple[StoreChoice, ...]
    schedules: tuple[ScheduleRow, ...]
    jobs: tuple[JobRow, ...]
    free: int | None
    problems: tuple[Problem, ...]
    wanted: WantedBackups
    read_at_ms: int
    sound: frozenset[str]

    @property
    def estimate_sessions(self) -> int:
        """How many sessions there are to back up, as far as that is known."""
        return sum(store.sessions or 0 for store in self.stores)

    @property
    def estimate_bytes(self) -> int:
        """How much would be read for that."""
        return sum(store.bytes or 0 for store in self.stores)

    @property
    def next_at_ms(self) -> int | None:
        """When the next backup is taken by itself."""
        return min((one.next_at_ms for one in self.schedules), default=None)

    @property
    def without(self) -> tuple[StoreChoice, ...]:
        """Stores that no whole and sound backup is of."""
        return tuple(store for store in self.stores if store.id not in self.sound)

    @property
    def stamp(self) -> str:
        """Digest what changes by itself."""
        ids = tuple((row.id, row.word, row.held) for row in self.rows)
        return stamp_of(ids, self.total, tuple(job.seen for job in self.jobs))

    @property
    def sentence(self) -> str:
        """What there is, in one sentence."""
        if not self.total:
            return _("No backup yet")
        if self.without:
            return ngettext(
                "%(n)s store has no sound backup.",
                "%(n)s stores have no sound backup.",
                len(self.without),
            ) % {"n": f"{len(self.without):,}"}
        return _("Every store has a sound backup.")

    @property
    def tone(self) -> str:
        """How that is coloured."""
        return "watch" if not self.total or self.without or self.problems else "ok"


def list_backups(wanted: WantedBackups, *, paged: bool = True) -> BackupList:
    """Look at every sidecar and at what the stores' indexes know; opens no archive."""
    seen = catalogue()
    schedules = tuple(list_schedules())
    rules = _rules(seen, schedules)
    rows = [row_of(one, rules.get(one.backup.id, ())) for one in seen.kept]
    matched = [row for row in rows if _is_wanted(row, wanted)]
    pages = max(1, -(-len(matched) // PER_PAGE)) if paged else 1
    page = min(max(1, wanted.page), pages)
    first = (page - 1) * PER_PAGE
    whole = [one for one in seen.kept if one.backup.scope == "store" and not one.backup.problem]
    return BackupList(
        rows=tuple(matched[first : first + PER_PAGE] if paged else matched),
        matched=len(matched),
        total=len(rows),
        total_bytes=sum(row.size_bytes for row in rows),
        page=page,
        pages=pages,
        month=month_of(rows, wanted.month or wanted.day or datetime.now(UTC).date()),
        stores=tuple(store_choices(fleet().refreshed().readers)),
        schedules=schedules,
        jobs=tuple(rows_of(visible_jobs().filter(kind__in=KINDS).exclude(state__in=FINISHED))),
        free=free_room(),
        problems=seen.problems,
        wanted=replace(wanted, page=page),
        read_at_ms=time.time_ns() // 1_000_000,
        sound=frozenset(one.store_id for one in whole),
    )


def _is_wanted(row: BackupRow, wanted: WantedBackups) -> bool:
    if wanted.store_id and row.store_id != wanted.store_id:
        return False
    if wanted.day and day_of(row.created_at_ms) != wanted.day:
        return False
    checks = {
        "held": row.held,
        "damaged": bool(row.problem),
        "proven": row.proven_at_ms is not None,
        "unchecked": row.verified_at_ms is None,
    }
    return checks.get(wanted.state, True)


def _rules(seen: Catalogue, schedules: Sequence[ScheduleRow]) -> Mapping[str, tuple[str, ...]]:
    """Which rule of a schedule keeps each backup, by id; only what has a policy is told."""
    found: dict[str, tuple[str, ...]] = {}
    ids = {one.id for one in schedules if one.retention}
    for schedule in BackupSchedule.objects.filter(pk__in=ids):
        policy = policy_of(schedule.retention)
        mine = [one.backup for one in seen.kept if _is_of(one, schedule.agents)]
        if policy is None or not mine:
            continue
        plan = backups.plan_retention(mine, policy, now_ms=time.time_ns() // 1_000_000)
        for backup, rules in plan.keep:
            found[backup.id] = tuple(rule_word(rule) for rule in rules)
        for backup in plan.remove:
            found[backup.id] = (_("goes with the next run"),)
    return found


def _is_of(one: Kept, agents: Sequence[str] | None) -> bool:
    return one.reader is not None and (agents is None or one.reader.agent in agents)


def store_choices(readers: Sequence[Reader]) -> list[StoreChoice]:
    """Stores that can be backed up from here, with what their indexes know."""
    choices = []
    for reader in writable(readers):
        summary = reader.summary()
        choices.append(
            StoreChoice(
                reader.id,
                reader.name,
                summary.sessions if summary else None,
                summary.bytes if summary else None,
            )
        )
    return choices


def free_room() -> int | None:
    """Free bytes where most backups go; None where that cannot be told."""
    readers = fleet().scan().readers
    root = root_of(readers[0].paths) if readers else usual_root()
    return None if root is None else _free_at(root)


def _free_at(root: Path) -> int | None:
    for place in (root, *root.parents):
        try:
            return free_bytes(place)
        except (FileNotFoundError, StoreIOError):
            continue  # not made yet: ask about the folder above it
        except SessionStoreError:
            return None
    return None
