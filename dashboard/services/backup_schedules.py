"""Backups that are taken by themselves (:mod:`.recurring`), and trial restores of the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.models import BackupSchedule

from . import recurring
from .backup_asking import ask_backup, ask_newest_drill
from .backup_reports import policy_of
from .backup_words import policy_words
from .readers import Reader

DRILL_EVERY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class ScheduleRow(recurring.Recurrence):
    """One schedule as pages show it, with what it asks for."""

    transcripts: bool
    retention: str
    drill: bool


def list_schedules(now: datetime | None = None) -> list[ScheduleRow]:
    """Every schedule that is about an agent in scope."""
    moment = now or timezone.now()
    return [_row(one, moment) for one in BackupSchedule.objects.all() if recurring.is_visible(one)]


def _row(one: BackupSchedule, now: datetime) -> ScheduleRow:
    policy = policy_of(one.retention)
    return ScheduleRow(
        **asdict(recurring.recurrence_of(one, now)),
        transcripts=one.transcripts,
        retention=policy_words(policy) if policy else "",
        drill=one.drill,
    )


def run_due(now: datetime) -> int:
    """Take every time that has come; how many jobs were asked for."""
    return recurring.run_due(list(BackupSchedule.objects.all()), now, _ask, role="admin")


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
