"""What recurs by itself: which times there are, who comes to one, which were missed.

Any number of runners look; a time belongs to the one whose conditional update changes the row. A
time that passed while no runner was at work is made good once, and it is said that it was late.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.acting import Actor
from dashboard.models import BackupSchedule, TidySchedule
from dashboard.models.backups import WEEKLY
from dashboard.refusals import RefusedError

from .fleet import fleet
from .problems import ProblemError, not_there
from .readers import Reader
from .tree import shown

_log = logging.getLogger(__name__)

LATE_AFTER = timedelta(hours=1)
MISSED_AFTER = timedelta(minutes=15)
LOOK_EVERY_S = 20.0
_FOUND_S = 30.0

Schedule = BackupSchedule | TidySchedule
One = TypeVar("One", BackupSchedule, TidySchedule)
Ask = Callable[[One, Actor, Sequence[Reader], datetime], int]
"""Asks for the jobs of a time that has come; how many there are."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """One schedule as pages show it; ``missed_at_ms``: a time that no runner has come to."""

    id: int
    agents: tuple[str, ...] | None
    weekly: bool
    weekday: int
    clock: str
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


def recurrence_of(one: Schedule, now: datetime) -> Recurrence:
    """What a page says of a schedule."""
    slot = slot_before(one, now)
    is_missed = slot > one.slot_at and now - slot > MISSED_AFTER
    return Recurrence(
        id=one.pk,
        agents=None if one.agents is None else tuple(shown(name) for name in one.agents),
        weekly=one.every == WEEKLY,
        weekday=one.weekday,
        clock=f"{one.hour:02}:{one.minute:02}",
        actor=shown(one.actor),
        next_at_ms=_ms(slot if slot > one.slot_at else slot + _step_of(one)),
        last_at_ms=_ms(one.slot_at) if one.job_id else None,
        missed_at_ms=_ms(slot) if is_missed else None,
        late_at_ms=None if one.late_at is None else _ms(one.late_at),
        job_id=one.job_id,
        problem=shown(one.problem),
    )


def weekday_word(weekday: int) -> str:
    """The name of a day; Monday is 0."""
    days = (_("Monday"), _("Tuesday"), _("Wednesday"), _("Thursday"), _("Friday"))
    return (*days, _("Saturday"), _("Sunday"))[weekday % 7]


def slot_before(one: Schedule, now: datetime) -> datetime:
    """The newest time of a schedule that is not after ``now``."""
    slot = now.replace(hour=one.hour, minute=one.minute, second=0, microsecond=0)
    if one.every == WEEKLY:
        slot -= timedelta(days=(slot.weekday() - one.weekday) % 7)
    if slot > now:
        slot -= _step_of(one)
    return slot


def _step_of(one: Schedule) -> timedelta:
    return timedelta(days=7 if one.every == WEEKLY else 1)


def is_visible(one: Schedule) -> bool:
    """Whether whoever asks may see all agents that it is about."""
    agents = scope.current()
    return agents is None or (one.agents is not None and set(one.agents) <= agents)


def check_agents(agents: Sequence[str] | None) -> None:
    """None means all that there are.

    Raises:
        ProblemError: an agent is not in scope.
    """
    if agents is not None:
        known = {reader.agent for reader in fleet().scan().readers}
        if not agents or not set(agents) <= known:
            raise not_there(_("One of these agents is not there."), _("Choose from the list."))


class Looking:
    """Looks a few times a minute for times that have come; one per runner and kind."""

    def __init__(self, run_due: Callable[[datetime], int]) -> None:
        self._run_due = run_due
        self._looked_s = -LOOK_EVERY_S

    def do_what_is_due(self) -> None:
        """Ask for the jobs of every time that has come and that no other runner has taken."""
        if settings.READ_ONLY or time.monotonic() - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = time.monotonic()
        self._run_due(timezone.now())


def run_due(schedules: Sequence[One], now: datetime, ask: Ask[One], *, role: str) -> int:
    """Take every time that has come, as ``role``; how many jobs were asked for."""
    due = [one for one in schedules if slot_before(one, now) > one.slot_at]
    return sum(_run(one, now, ask, role) for one in due)


def _run(one: One, now: datetime, ask: Ask[One], role: str) -> int:
    """Take the time and ask for its jobs in one transaction; 0 where another runner was first."""
    agents = None if one.agents is None else frozenset(one.agents)
    name = (_("schedule of %s") % one.actor)[:150]
    actor = Actor(None, name, role, via="schedule", agents=agents)
    try:
        with scope.limited_to(agents):
            readers = list(fleet().scan(budget_s=_FOUND_S).readers)
            with transaction.atomic():
                return ask(one, actor, readers, now) if _is_ours(one, now) else 0
    except (ProblemError, RefusedError) as error:
        told = error.problem.detail if isinstance(error, ProblemError) else str(error)
        if _is_ours(one, now):
            _log.error("what a schedule asks for could not be asked for: %s", told)
            rows = type(one)._default_manager.filter(pk=one.pk)
            rows.update(problem=told[:500], job_id=None)
        return 0


def _is_ours(one: Schedule, now: datetime) -> bool:
    slot = slot_before(one, now)
    late = {"late_at": slot} if now - slot > LATE_AFTER else {}
    mine = type(one)._default_manager.filter(pk=one.pk, slot_at__lt=slot)
    return bool(mine.update(slot_at=slot, **late))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
