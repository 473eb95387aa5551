"""What jobs of backups tell: progress, the report of an item, the audit, and what failed."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import parts
from dashboard.jobs.kinds import ItemResult
from dashboard.models import Job
from sessionstore.backup import Backup, RetentionPolicy
from sessionstore.errors import Finding, SessionStoreError

from .findings import masked_finding
from .problems import problem_of

_MOST_FINDINGS = 100
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def policy_of(params: Mapping[str, Any] | None) -> RetentionPolicy | None:
    """A policy as a job or a schedule keeps it."""
    return RetentionPolicy(**params) if params else None


def tell(done: int, total: int, item: str) -> None:
    """Tell the job how far the library is; where it tells, it may be stopped."""
    parts.report(done, total, item)


def about(backup: Backup) -> dict[str, Any]:
    """What a report says of a backup."""
    return {
        "backup": backup.id,
        "sessions": backup.sessions,
        "transcripts": backup.transcripts,
        "size_bytes": backup.size_bytes,
    }


def findings_of(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings as a report keeps them: masked, and not more than a person reads."""
    masked = (masked_finding(one) for one in findings[:_MOST_FINDINGS])
    return [{"severity": one.severity, "message": one.message, "hint": one.hint} for one in masked]


def failed(
    job: Job, actor: Actor, action: str, target: str, error: SessionStoreError
) -> ItemResult:
    """The result of an item that the library refused; a full disk waits for a person."""
    problem = problem_of(error)
    said = f"{problem.title}. {problem.detail} {problem.hint}".strip()
    if isinstance(error, OSError) and error.errno in _FULL:
        return ItemResult("pause", f"{said} {_('Make room, then resume.')}")
    record(job, actor, action, target, "failed", {"error": problem.detail[:400]})
    return ItemResult("failed", said, report={"error": problem.detail, "hint": problem.hint})


def record(
    job: Job, actor: Actor, action: str, target: str, outcome: str, told: Mapping[str, Any]
) -> None:
    """Tell the audit what became of one item."""
    details = {name: value for name, value in told.items() if not isinstance(value, list | dict)}
    listed = told.get("removed")
    audit.record(
        None,
        by=actor,
        action=action,
        target=target,
        outcome=outcome,
        reason=job.reason,
        details={"job": job.pk, **details, **({"removed": listed} if listed else {})},
    )


def job_outcome(job: Job) -> str:
    """What a job of one item came to, in that item's words; counts say it for more."""
    items = list(job.items.all()[:2])
    return items[0].message if len(items) == 1 else ""
