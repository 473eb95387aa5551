"""Backups that are taken by themselves: which times there are, who comes to one, which were missed.

Any number of runners look; a time belongs to the one whose conditional update changes the row. A
time that passed while no runner was at work is made good once, and it is said that it was late.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.acting import Actor
from dashboard.models import BackupSchedule
from dashboard.models.backups import WEEKLY
from dashboard.refusals import RefusedError

from .backup_asking import ask_backup, ask_newest_drill
from .backup_reports import policy_of
from .backup_words import policy_words
from .fleet import fleet
from .problems import ProblemError
from .readers import Reader
from .tree import shown

_log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=1)
DRILL_EVERY = timedelta(days=7)
MISSED_AFTER = timedelta(minutes=15)
_LOOK_EVERY_S = 20.0
_FOUND_S = 30.0


class Recurring(Protocol):
    """What says when something recurs: a row of a schedule, of backups or of checks."""

    every: str
    weekday: int
    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """One schedule as pages show it; ``missed_at_ms``: a time that no runner has come to."""

    id: int
    agents: tuple[str, ...] | None
    weekly: bool
    weekday: int
    clock: str
    transcripts: bool
    retention: str
    drill: bool
    actor: str
    next_at_ms: int
    last_at_ms: int | None
    missed_at_ms: int | None
    late_at_ms: int | None
    job_id: int | None
    problem: str

    @property
    def weekday_word(self) -> str:
        """The day of a weekly one."""
        return weekday_word(self.weekday)


def weekday_word(weekday: int) -> str:
    """The name of a day; Monday is 0."""
    days = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"))
    return (*days, _("Saturday"), _("Sunday"))[weekday % 7]


def slot_before(schedule: Recurring, now: datetime) -> datetime:
    """The newest time of a schedule that is not after ``now``."""
    slot = now.replace(hour=schedule.hour, minute=schedule.minute, second=0, microsecond=0)
    if schedule.every == WEEKLY:
        slot -= timedelta(days=(slot.weekday() - schedule.weekday) % 7)
    if slot > now:
        slot -= step_of(schedule)
    return slot


def step_of(schedule: Recurring) -> timedelta:
    """From one time of a schedule to the next."""
    return timedelta(days=7 if schedule.every == WEEKLY else 1)


def list_schedules(now: datetime | None = None) -> list[ScheduleRow]:
    """Every schedule that is about an agent in scope."""
    moment = now or timezone.now()
    return [_row(one, moment) for one in BackupSchedule.objects.all() if is_visible(one)]


def is_visible(schedule: BackupSchedule) -> bool:
    """Whether whoever asks may see all agents that it is about."""
    agents = scope.current()
    if agents is None:
        return True
    return schedule.agents is not None and set(schedule.agents) <= agents


def _row(one: BackupSchedule, now: datetime) -> ScheduleRow:
    slot = slot_before(one, now)
    is_missed = slot > one.slot_at and now - slot > MISSED_AFTER
    policy = policy_of(one.retention)
    return ScheduleRow(
        id=one.pk,
        agents=None if one.agents is None else tuple(shown(name) for name in one.agents),
        weekly=one.every == WEEKLY,
        weekday=one.weekday,
        clock=f"{one.hour:02}:{one.minute:02}",
        transcripts=one.transcripts,
        retention=policy_words(policy) if policy else "",
        drill=one.drill,
        actor=shown(one.actor),
        next_at_ms=_ms(slot if slot > one.slot_at else slot + step_of(one)),
        last_at_ms=_ms(one.slot_at) if one.job_id else None,
        missed_at_ms=_ms(slot) if is_missed else None,
        late_at_ms=None if one.late_at is None else _ms(one.late_at),
        job_id=one.job_id,
        problem=shown(one.problem),
    )


class Schedules:
    """Looks a few times a minute for times that have come; one per runner."""

    def __init__(self) -> None:
        self._looked_s = -_LOOK_EVERY_S

    def do_what_is_due(self) -> None:
        """Ask for the jobs of every time that has come and that no other runner has taken."""
        if settings.READ_ONLY or time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        run_due(timezone.now())


def run_due(now: datetime) -> int:
    """Take every time that has come; how many jobs were asked for."""
    return sum(
        _run(one, now)
        for one in BackupSchedule.objects.all()
        if slot_before(one, now) > one.slot_at
    )


def _run(one: BackupSchedule, now: datetime) -> int:
    """Take the time and ask for its jobs in one transaction; 0 where another runner was first."""
    agents = None if one.agents is None else frozenset(one.agents)
    actor = Actor(
        None, (_("schedule of %s") % one.actor)[:150], "admin", via="schedule", agents=agents
    )
    try:
        with scope.limited_to(agents):
            readers = list(fleet().scan(budget_s=_FOUND_S).readers)
            with transaction.atomic():
                return _ask(one, actor, readers, now) if _is_ours(one, now) else 0
    except (ProblemError, RefusedError) as error:
        told = error.problem.detail if isinstance(error, ProblemError) else str(error)
        if _is_ours(one, now):
            _log.error("a scheduled backup could not be asked for: %s", told)
            BackupSchedule.objects.filter(pk=one.pk).update(problem=told[:500], job_id=None)
        return 0


def _is_ours(one: BackupSchedule, now: datetime) -> bool:
    slot = slot_before(one, now)
    late = {"late_at": slot} if now - slot > LATE_AFTER else {}
    mine = BackupSchedule.objects.filter(pk=one.pk, slot_at__lt=slot)
    return bool(mine.update(slot_at=slot, **late))


def _ask(one: BackupSchedule, actor: Actor, readers: Sequence[Reader], now: datetime) -> int:
    job = ask_backup(
        actor,
        readers,
        transcripts=one.transcripts,
        reason=_("scheduled"),
        retention=policy_of(one.retention),
    )
    BackupSchedule.objects.filter(pk=one.pk).update(job_id=job.pk, problem="")
    is_due = one.drilled_at is None or now - one.drilled_at >= DRILL_EVERY - timedelta(hours=1)
    if not one.drill or not is_due:
        return 1
    ask_newest_drill(actor, readers, reason=_("scheduled"))
    BackupSchedule.objects.filter(pk=one.pk).update(drilled_at=now)
    return 2


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
