"""Checks that are made by themselves. Never anything else: a schedule deletes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import TidySchedule

from . import recurring
from .problems import not_there
from .readers import Reader
from .recurring import Recurrence, check_agents, is_visible, recurrence_of
from .tidy_checking import ask_check


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """What somebody has asked to be looked at by itself."""

    agents: tuple[str, ...] | None
    every: str
    weekday: int
    hour: int
    minute: int


def list_schedules(now: datetime | None = None) -> list[Recurrence]:
    """Every schedule that is about agents in scope."""
    moment = now or timezone.now()
    return [recurrence_of(one, moment) for one in TidySchedule.objects.all() if is_visible(one)]


def add_schedule(actor: Actor, wish: ScheduleWish) -> TidySchedule:
    """Have stores checked by themselves from the next such time on.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: an agent is not in scope.
    """
    queue.check_allowed(actor, "operator")
    check_agents(wish.agents)
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
    if found is None or not is_visible(found):
        raise not_there(_("There is no such schedule any more."), _("Open the schedules."))
    _record(actor, found, "tidy.unschedule")
    found.delete()


def run_due(now: datetime) -> int:
    """Take every time that has come; how many checks were asked for."""
    return recurring.run_due(list(TidySchedule.objects.all()), now, _ask, role="operator")


def _ask(one: TidySchedule, actor: Actor, readers: Sequence[Reader], now: datetime) -> int:
    if not readers:
        return 0
    job = ask_check(actor, readers, reason=_("scheduled"))
    TidySchedule.objects.filter(pk=one.pk).update(job_id=job.pk, problem="")
    return 1


def _record(actor: Actor, one: TidySchedule, action: str) -> None:
    audit.record(None, by=actor, action=action, target=str(one), details={"agents": one.agents})
