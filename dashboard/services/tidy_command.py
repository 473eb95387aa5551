"""What ``manage.py sessions tidy`` does: plan, carry out, take back, let go. On record, masked."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.jobs import queue
from sessionstore.errors import GatewayRunningError, SessionStoreError
from sessionstore.maintenance import (
    REBUILDABLE,
    MaintenancePolicy,
    MaintenanceReport,
    expire_runs,
    maintain,
    plan_maintenance,
    runs,
    take_back,
)
from sessionstore.maintenance.plan_shapes import Progress

from .amounts import binary
from .change_stores import opened_for_change
from .command_stores import UsageError, chosen
from .migration_command import FAILED, GATEWAY, NO_ROOM, NOTHING, OK, Result, command_actor
from .only_read import is_only_read, why_only_read
from .problems import problem_of
from .readers import Reader
from .tidy_command_policy import SETTINGS, policy_from
from .tidy_command_told import numbers_of, plan_result, report_told
from .tree import shown

__all__ = [
    "REBUILDABLE",
    "SETTINGS",
    "MaintenancePolicy",
    "UsageError",
    "chosen",
    "policy_from",
    "worst",
]

_WAIT_S = 10.0
_DAY_S = 86_400.0
_WORST_FIRST = (FAILED, GATEWAY, NO_ROOM, OK, NOTHING)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def planned(reader: Reader, policy: MaintenancePolicy) -> Result:
    """What a policy would do to one store; changes nothing."""
    if is_only_read(reader):
        return _left_alone(reader)
    try:
        with opened_for_change(reader, _WAIT_S) as store:
            return plan_result(reader, plan_maintenance(store, policy))
    except SessionStoreError as error:
        return _failed(reader, error)


def tidied(
    reader: Reader,
    policy: MaintenancePolicy,
    *,
    take_back_days: float,
    reason: str,
    progress: Progress | None,
) -> Result:
    """Plan and carry out at one store.

    Raises:
        RefusedError: the console is read-only.
    """
    actor = command_actor()
    queue.check_allowed(actor, "admin")
    if is_only_read(reader):
        return _left_alone(reader)
    try:
        with opened_for_change(reader, _WAIT_S) as store:
            plan = plan_maintenance(store, policy)
        if not plan.acting:
            return plan_result(reader, plan)
        intent = _record(reader, "tidy.run", "started", reason, {"digest": plan.digest})
        report = maintain(
            plan,
            progress=progress,
            take_back_s=take_back_days * _DAY_S,
            by=actor.name,
            reason=reason,
            timeout=_WAIT_S,
            gateway_lock_dir=settings.GATEWAY_LOCK_DIR,
        )
    except SessionStoreError as error:
        return _failed(reader, error, "tidy.run", reason)
    told = report_told(report)
    _record(reader, "tidy.run", "done", reason, {**numbers_of(told), "intent": intent})
    said = _("%(done)s of %(all)s items done, %(bytes)s left the store; run %(run)s.") % {
        "done": f"{told['done']:,}",
        "all": f"{len(report.results):,}",
        "bytes": binary(report.achieved_bytes),
        "run": report.run_id,
    }
    held = _("%s of these are still on the disk until the time to take back ends.")
    if report.held_bytes:
        said = f"{said} {held % binary(report.held_bytes)}"
    is_whole = not told["failed"]
    return Result(reader.name, "tidied", said, OK if is_whole else FAILED, told)


def taken_back(reader: Reader, run_id: str, *, reason: str) -> Result:
    """Take a run of one store back.

    Raises:
        RefusedError: the console is read-only.
    """
    actor = command_actor()
    queue.check_allowed(actor, "admin")
    intent = _record(reader, "tidy.run_back", "started", reason, {"run": shown(run_id)})
    try:
        with opened_for_change(reader, _WAIT_S) as store:
            report = take_back(store, run_id, by=actor.name, timeout=_WAIT_S)
    except SessionStoreError as error:
        return _failed(reader, error, "tidy.run_back", reason)
    told = report_told(report)
    _record(reader, "tidy.run_back", "done", reason, {**numbers_of(told), "intent": intent})
    said = _("%(back)s items are back; %(left)s could not come back.") % {
        "back": f"{told['taken_back']:,}",
        "left": f"{told['done']:,}",
    }
    return Result(reader.name, "taken back", said, FAILED if told["done"] else OK, told)


def listed(reader: Reader) -> Result:
    """The runs of one store that are on record, newest first; changes nothing."""
    try:
        found = runs(reader.paths)
    except SessionStoreError as error:
        return _failed(reader, error)
    rows = [
        {
            "run": one.id,
            "started_ms": one.started_ms,
            "finished": one.is_finished,
            "expired": one.is_expired,
            "take_back_until_ms": one.take_back_until_ms,
            "by": shown(one.by),
            **one.report().outcomes,
        }
        for one in found
    ]
    said = _("%s runs on record.") % f"{len(rows):,}"
    return Result(reader.name, "listed", said, OK if rows else NOTHING, {"runs": rows})


def expired(reader: Reader, *, reason: str) -> Result:
    """Remove what runs of one store moved away whose time to be taken back has ended.

    Raises:
        RefusedError: the console is read-only.
    """
    queue.check_allowed(command_actor(), "admin")
    intent = _record(reader, "tidy.expire", "started", reason, {})
    try:
        freed = expire_runs(reader.paths, timeout=_WAIT_S)
    except SessionStoreError as error:
        return _failed(reader, error, "tidy.expire", reason)
    total = sum(freed.values())
    told = {"runs": list(freed), "freed_bytes": total}
    details = {"runs": len(freed), "freed_bytes": total, "intent": intent}
    _record(reader, "tidy.expire", "done", reason, details)
    said = _("%(count)s runs ended, %(bytes)s are free.") % {
        "count": f"{len(freed):,}",
        "bytes": binary(total),
    }
    return Result(reader.name, "expired", said, OK if freed else NOTHING, told)


def worst(results: Sequence[Result]) -> int:
    """The exit status of several."""
    found = {one.status for one in results}
    return next((status for status in _WORST_FIRST if status in found), NOTHING)


def _left_alone(reader: Reader) -> Result:
    return Result(reader.name, "skipped", why_only_read(), NOTHING, {})


def _failed(reader: Reader, error: SessionStoreError, action: str = "", reason: str = "") -> Result:
    problem = problem_of(error)
    told: dict[str, Any] = {"error": problem.detail, "hint": problem.hint}
    if isinstance(error.report, MaintenanceReport):
        told |= report_told(error.report)
    if action:
        _record(reader, action, "failed", reason, {"why": problem.detail[:400]})
    status = FAILED
    if isinstance(error, GatewayRunningError):
        status = GATEWAY
    elif isinstance(error, OSError) and error.errno in _FULL:
        status = NO_ROOM
    said = f"{problem.title}. {problem.detail} {problem.hint}".strip()
    return Result(reader.name, "failed", said, status, told)


def _record(
    reader: Reader, action: str, outcome: str, reason: str, details: Mapping[str, object]
) -> int:
    event = audit.record(
        None,
        by=command_actor(),
        action=action,
        target=reader.name,
        outcome=outcome,
        reason=reason or _("No reason was given."),
        details={"store": reader.id, **details},
    )
    return event.sequence
