"""What happened to stores and when: marks for charts, and a list under them.

What this console knows of: its jobs (migrations, backups, restores, bulk edits and the rest, also
those that the command line ran), single changes by operators, mirrors switched, and incidents that
somebody marked. Within the scope of whoever asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from dashboard.jobs.kinds import KINDS
from dashboard.jobs.seeing import visible_jobs
from dashboard.models import AuditEvent, Incident, Job

from .backup_work import KINDS as BACKUP_KINDS
from .backup_work import RESTORE
from .bulk_apply import KIND as BULK
from .change_rows import visible_changes
from .edit_work import KIND as EDIT
from .incidents.seeing import visible_incidents
from .migration_work import RUN, UNDO
from .readers import Reader
from .rows import readable
from .tree import shown
from .undo_words import action_word

MOST_MARKS = 200
"""Marks of one kind of source at most, the latest."""

MIGRATION, ROLLBACK, BACKUP, RESTORED = "migration", "rollback", "backup", "restore"
BULK_EDIT, EDITED, MIRROR, JOB, INCIDENT = "bulk", "edit", "mirror", "job", "incident"
WORDS: dict[str, Promise] = {
    MIGRATION: lazy("Migration"),
    ROLLBACK: lazy("Undo of a migration"),
    BACKUP: lazy("Backup"),
    RESTORED: lazy("Restore"),
    BULK_EDIT: lazy("Bulk edit"),
    EDITED: lazy("Edit"),
    MIRROR: lazy("Mirror"),
    JOB: lazy("Job"),
    INCIDENT: lazy("Incident"),
}
_KIND_OF_JOB = {
    RUN: MIGRATION,
    UNDO: ROLLBACK,
    **dict.fromkeys(BACKUP_KINDS, BACKUP),
    RESTORE: RESTORED,
    BULK: BULK_EDIT,
    EDIT: EDITED,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One event. ``until_ms`` is None for a moment, and for what still runs; texts are masked.

    ``store_id`` is empty for what concerned several stores.
    """

    at_ms: int
    until_ms: int | None
    kind: str
    title: str
    url: str
    store_id: str

    is_running: bool = False

    @property
    def word(self) -> str:
        """The kind, said for a person."""
        return str(WORDS.get(self.kind, self.kind))

    @property
    def letter(self) -> str:
        """What stands at the mark in a chart, and before it in the list."""
        return self.word[:1].upper()

    @property
    def took_ms(self) -> int | None:
        """How long it took; None for a moment."""
        return None if self.until_ms is None else self.until_ms - self.at_ms


def marks_between(readers: Sequence[Reader], start_ms: int, end_ms: int) -> list[Mark]:
    """What happened to these stores within a window, oldest first. Few queries."""
    stores = {reader.id: reader.name for reader in readers}
    sources: tuple[Callable[[_Asked], list[Mark]], ...] = (_jobs, _changes, _mirrors, _incidents)
    asked = _Asked(stores, _moment(start_ms), _moment(end_ms))
    found = [mark for source in sources for mark in source(asked)]
    return sorted(found, key=lambda mark: (mark.at_ms, mark.kind, mark.title))


@dataclass(frozen=True, slots=True)
class _Asked:
    stores: dict[str, str]
    start: datetime
    end: datetime


def _jobs(asked: _Asked) -> list[Mark]:
    still = Q(finished_at=None) | Q(finished_at__gte=asked.start)
    jobs = visible_jobs().filter(still, started_at__lt=asked.end)
    jobs = jobs.filter(stores__store_id__in=asked.stores).distinct().prefetch_related("stores")
    return [_mark_of_job(job) for job in jobs.order_by("-started_at", "-pk")[:MOST_MARKS]]


def _mark_of_job(job: Job) -> Mark:
    stores = [store.store_id for store in job.stores.all()]
    word = KINDS[job.kind].word if job.kind in KINDS else shown(job.kind)
    title = shown(job.title)
    assert job.started_at is not None
    return Mark(
        at_ms=_ms(job.started_at),
        until_ms=None if job.finished_at is None else _ms(job.finished_at),
        kind=_KIND_OF_JOB.get(job.kind, JOB),
        title=title if title.startswith(word) else f"{word}: {title}",
        url=reverse("job", args=[job.pk]),
        store_id=stores[0] if len(stores) == 1 else "",
        is_running=job.finished_at is None,
    )


def _changes(asked: _Asked) -> list[Mark]:
    """Single changes; those that a job made are within its own mark."""
    changes = visible_changes().filter(
        store_id__in=asked.stores, at__gte=asked.start, at__lt=asked.end, job_id=None
    )
    return [
        Mark(
            at_ms=_ms(change.at),
            until_ms=None,
            kind=EDITED,
            title=_("%(action)s: %(session)s")
            % {"action": action_word(change.action), "session": readable(shown(change.key))[:200]},
            url=reverse("change", args=[change.pk]),
            store_id=change.store_id,
        )
        for change in changes.order_by("-at", "-pk")[:MOST_MARKS]
    ]


def _mirrors(asked: _Asked) -> list[Mark]:
    events = AuditEvent.objects.filter(
        action="store.mirror", outcome="done", at__gte=asked.start, at__lt=asked.end
    )
    marks = (_mark_of_mirror(event, asked.stores) for event in events.order_by("-at")[:MOST_MARKS])
    return [mark for mark in marks if mark is not None]


def _mark_of_mirror(event: AuditEvent, stores: dict[str, str]) -> Mark | None:
    details: dict[str, Any] = json.loads(event.details)
    store_id = str(details.get("store", ""))
    if store_id not in stores:
        return None
    said = {
        "on": _("The mirror was switched on"),
        "off": _("The mirror was switched off"),
        "remove": _("The mirror was switched off and its copy removed"),
        "set-aside": _("A foreign file was set aside by the mirror"),
    }
    step = str(details.get("step", ""))
    url = reverse("store_migration", args=[store_id])
    title = said.get(step, _("The mirror was changed"))
    return Mark(_ms(event.at), None, MIRROR, title, url, store_id)


def _incidents(asked: _Asked) -> list[Mark]:
    still = Q(ended_at=None) | Q(ended_at__gte=asked.start)
    about = Q(everywhere=True) | Q(stores__store_id__in=asked.stores)
    found = visible_incidents().filter(still, about, started_at__lt=asked.end).distinct()
    incidents = found.prefetch_related("stores").order_by("-started_at", "-pk")[:MOST_MARKS]
    return [_mark_of_incident(one) for one in incidents]


def _mark_of_incident(one: Incident) -> Mark:
    stores = [store.store_id for store in one.stores.all()]
    return Mark(
        at_ms=_ms(one.started_at),
        until_ms=None if one.ended_at is None else _ms(one.ended_at),
        kind=INCIDENT,
        title=shown(one.title),
        url=reverse("incident", args=[one.pk]),
        store_id=stores[0] if len(stores) == 1 else "",
        is_running=one.ended_at is None,
    )


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
