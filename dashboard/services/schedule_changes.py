"""Add and remove schedules of backups. On record."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import BackupSchedule
from sessionstore.backup import RetentionPolicy

from .problems import not_there
from .recurring import check_agents, is_visible


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """What somebody has asked to be done by itself."""

    agents: tuple[str, ...] | None
    every: str
    weekday: int
    hour: int
    minute: int
    transcripts: bool
    retention: RetentionPolicy | None
    drill: bool


def add_schedule(actor: Actor, wish: ScheduleWish) -> BackupSchedule:
    """Have backups taken by themselves from the next such time on.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: an agent is not in scope.
    """
    queue.check_allowed(actor, "admin")
    check_agents(wish.agents)
    made = BackupSchedule(
        agents=None if wish.agents is None else list(wish.agents),
        every=wish.every,
        weekday=wish.weekday,
        hour=wish.hour,
        minute=wish.minute,
        transcripts=wish.transcripts,
        retention=None if wish.retention is None else asdict(wish.retention),
        drill=wish.drill,
        actor=actor.name,
        created_at=timezone.now(),
        slot_at=timezone.now(),
    )
    made.save()
    _record(actor, made, "backup.schedule")
    return made


def remove_schedule(actor: Actor, schedule_id: int) -> None:
    """Stop one.

    Raises:
        ProblemError: it is not there.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "admin")
    found = BackupSchedule.objects.filter(pk=schedule_id).first()
    if found is None or not is_visible(found):
        raise not_there(_("There is no such schedule any more."), _("Open the schedules."))
    _record(actor, found, "backup.unschedule")
    found.delete()


def _record(actor: Actor, one: BackupSchedule, action: str) -> None:
    audit.record(
        None,
        by=actor,
        action=action,
        target=str(one),
        details={"agents": one.agents, "retention": one.retention, "drill": one.drill},
    )
