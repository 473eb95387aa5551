"""What is written down about a change: the intent before it, the outcome and its undo after it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from dashboard import audit
from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from sessionstore.editing import ABSENT
from sessionstore.entries import redact
from sessionstore.kept import Version

from .readers import Reader
from .tree import shown, visible

_LONGEST_VALUE = 200
_MOST_FIELDS = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One field before and after, as masked JSON text; empty where the field is not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Task:
    """One change that somebody asked for. ``key`` is the raw key."""

    actor: Actor
    reader: Reader
    key: str
    action: str
    reason: str
    job_id: int | None = None
    undoes_id: int | None = None

    @property
    def target(self) -> str:
        """The session as the audit names it."""
        return f"{self.reader.name}: {shown(self.key)}"


def note_intent(task: Task, fields: Iterable[str] = ()) -> AuditEvent:
    """Write down that a change begins."""
    details = _about(task) | {"asked": [shown(name)[:100] for name in list(fields)[:_MOST_FIELDS]]}
    return audit.record(
        None,
        by=task.actor,
        action=f"session.{task.action}",
        target=task.target,
        outcome="started",
        reason=task.reason,
        details=details,
    )


def note_refusal(task: Task, intent: AuditEvent, why: str, *, outcome: str = "refused") -> None:
    """Write down that nothing was changed, and why."""
    details = _about(task) | {"intent": intent.sequence, "why": why[:400]}
    audit.record(
        None,
        by=task.actor,
        action=f"session.{task.action}",
        target=task.target,
        outcome=outcome,
        reason=task.reason,
        details=details,
    )


@transaction.atomic
def note_done(
    task: Task, intent: AuditEvent, version: Version | None, differences: tuple[Difference, ...]
) -> Change | None:
    """Write down what was changed and, where something was kept, how to take it back."""
    change = None if version is None else _change(task, version)
    if change is not None and task.undoes_id is not None:
        undone = Change.objects.filter(pk=task.undoes_id, undone_by_id=None)
        undone.update(undone_by_id=change.pk)
    fields = {d.name[:60]: [d.before, d.after] for d in differences[:_MOST_FIELDS]}
    details = _about(task) | {
        "intent": intent.sequence,
        "fields": fields,
        "more": max(0, len(differences) - _MOST_FIELDS),
        "change": change.pk if change else None,
        "undoes": task.undoes_id,
    }
    audit.record(
        None,
        by=task.actor,
        action=f"session.{task.action}",
        target=task.target,
        outcome="done",
        reason=task.reason,
        details=details,
    )
    return change


def differences_of(version: Version) -> tuple[Difference, ...]:
    """What a change did to each field, masked."""
    before = version.entry or {}
    return tuple(
        Difference(
            shown(name),
            value_text(before.get(name, ABSENT), name=name),
            value_text(version.written.get(name, ABSENT), name=name),
        )
        for name in version.changed
    )


def value_text(value: Any, *, name: str, longest: int = _LONGEST_VALUE) -> str:
    """A field's value as masked JSON text on one line, cut; empty when the field is not there."""
    if value is ABSENT:
        return ""
    text = visible(json.dumps(redact(value, name=name), ensure_ascii=False, default=str))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _about(task: Task) -> dict[str, Any]:
    about: dict[str, Any] = {
        "store": task.reader.id,
        "agent": task.reader.agent,
        "key": shown(task.key),
        "ref": task.reader.refs.of(task.key),
        "via": task.actor.via,
    }
    return about | ({"job": task.job_id} if task.job_id is not None else {})


def _change(task: Task, version: Version) -> Change:
    at = datetime.fromtimestamp(version.at_ms / 1000, UTC)
    return Change.objects.create(
        at=at,
        actor_id=task.actor.user_id,
        actor=task.actor.name,
        via=task.actor.via,
        store_id=task.reader.id,
        store_name=task.reader.name[:300],
        agent=task.reader.agent[:300],
        key=task.key,
        action=task.action,
        fields=[shown(name)[:200] for name in version.changed[:200]],
        version_id=version.id,
        reason=task.reason[:500],
        request_id=task.actor.request_id,
        expires_at=at + timedelta(days=settings.VERSIONS_DAYS),
        job_id=task.job_id,
        undoes_id=task.undoes_id,
    )
