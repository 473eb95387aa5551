"""Checks that are made by themselves. Never anything else: a schedule deletes nothing.

As with backups, any number of runners look, a time belongs to the one whose conditional update
changes the row, and a time that passed while no runner was at work is made good once.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import TidySchedule
from dashboard.models.backups import WEEKLY
from dashboard.refusals import RefusedError

from .backup_schedules import LATE_AFTER, MISSED_AFTER, slot_before, step_of, weekday_word
from .fleet import fleet
from .problems import ProblemError, not_there
from .tidy_checking import ask_check
from .tree import shown

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 20.0
_FOUND_S = 30.0


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """What somebody has asked to be looked at by itself."""

    agents: tuple[str, ...] | None
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
    weekday_word: str
    clock: str
    actor: str
    next_at_ms: int
    last_at_ms: int | None
    missed_at_ms: int | None
    late_at_ms: int | None
    job_id: int | None
    problem: str


def list_schedules(now: datetime | None = None) -> list[ScheduleRow]:
    """Every schedule that is about agents in scope."""
    moment = now or timezone.now()
    return [_row(one, moment) for one in TidySchedule.objects.all() if _is_visible(one)]


def add_schedule(actor: Actor, wish: ScheduleWish) -> TidySchedule:
    """Have stores checked by themselves from the next such time on.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: an agent is not in scope.
    """
    queue.check_allowed(actor, "operator")
    if wish.agents is not None:
        known = {reader.agent for reader in fleet().scan().readers}
        if not wish.agents or not set(wish.agents) <= known:
            raise not_there(_("One of these agents is not there."), _("Choose from the list."))
    made = TidySchedule.objects.create(
        agents=None if wish.agents is None else list(wish.agents),
        every=wish.every,
        weekday=wish.weekday,
        hour=wish.hour,
        minute=wish.minute,
        actor=actor.name,
        created_at=timezone.now(),
        slot_at=timezone.now(),
    )
    _record(actor, made, "tidy.schedule")
    return made


def remove_schedule(actor: Actor, schedule_id: int) -> None:
    """Stop one.

    Raises:
        ProblemError: it is not there.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    found = TidySchedule.objects.filter(pk=schedule_id).first()
    if found is None or not _is_visible(found):
        raise not_there(_("There is no such schedule any more."), _("Open the schedules."))
    _record(actor, found, "tidy.unschedule")
    found.delete()


class TidySchedules:
    """Looks a few times a minute for times that have come; one per runner."""

    def __init__(self) -> None:
        self._looked_s = -_LOOK_EVERY_S

    def do_what_is_due(self) -> None:
        """Ask for the check of every time that has come and that no other runner has taken."""
        if settings.READ_ONLY or time.monotonic() - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        run_due(timezone.now())


def run_due(now: datetime) -> int:
    """Take every time that has come; how many checks were asked for."""
    return sum(
        _run(one, now) for one in TidySchedule.objects.all() if slot_before(one, now) > one.slot_at
    )


def _run(one: TidySchedule, now: datetime) -> int:
    """Take the time and ask for its check in one transaction; 0 where another was first."""
    agents = None if one.agents is None else frozenset(one.agents)
    name = (_("schedule of %s") % one.actor)[:150]
    actor = Actor(None, name, "operator", via="schedule", agents=agents)
    try:
        with scope.limited_to(agents):
            readers = list(fleet().scan(budget_s=_FOUND_S).readers)
            with transaction.atomic():
                if not _is_ours(one, now) or not readers:
                    return 0
                job = ask_check(actor, readers, reason=_("scheduled"))
                TidySchedule.objects.filter(pk=one.pk).update(job_id=job.pk, problem="")
                return 1
    except (ProblemError, RefusedError) as error:
        told = error.problem.detail if isinstance(error, ProblemError) else str(error)
        if _is_ours(one, now):
            _log.error("a scheduled check could not be asked for: %s", told)
            TidySchedule.objects.filter(pk=one.pk).update(problem=told[:500], job_id=None)
        return 0


def _is_ours(one: TidySchedule, now: datetime) -> bool:
    slot = slot_before(one, now)
    late = {"late_at": slot} if now - slot > LATE_AFTER else {}
    mine = TidySchedule.objects.filter(pk=one.pk, slot_at__lt=slot)
    return bool(mine.update(slot_at=slot, **late))


def _is_visible(one: TidySchedule) -> bool:
    agents = scope.current()
    return agents is None or (one.agents is not None and set(one.agents) <= agents)


def _row(one: TidySchedule, now: datetime) -> ScheduleRow:
    slot = slot_before(one, now)
    is_missed = slot > one.slot_at and now - slot > MISSED_AFTER
    return ScheduleRow(
        id=one.pk,
        agents=None if one.agents is None else tuple(shown(name) for name in one.agents),
        weekly=one.every == WEEKLY,
        weekday_word=weekday_word(one.weekday),
        clock=f"{one.hour:02}:{one.minute:02}",
        actor=shown(one.actor),
        next_at_ms=_ms(slot if slot > one.slot_at else slot + step_of(one)),
        last_at_ms=_ms(one.slot_at) if one.job_id else None,
        missed_at_ms=_ms(slot) if is_missed else None,
        late_at_ms=None if one.late_at is None else _ms(one.late_at),
        job_id=one.job_id,
        problem=shown(one.problem),
    )


def _record(actor: Actor, one: TidySchedule, action: str) -> None:
    audit.record(None, by=actor, action=action, target=str(one), details={"agents": one.agents})


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
