"""Comparisons, previews of policies and schedules for programs: JSON and CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.forms_retention import PolicyForm
from dashboard.roles import role_required
from dashboard.services.backup_catalogue import find_backup
from dashboard.services.backup_schedules import list_schedules
from dashboard.services.compare_pages import ComparedSession, compared
from dashboard.services.kept_comparisons import find_plan
from dashboard.services.problems import Problem, ProblemError
from dashboard.services.retention_pages import RetentionPreview, preview
from dashboard.services.tree import shown

from .answers import tells_problems
from .backup_twins import plain

_SESSION_FIELDS = ("number", "key", "action", "word")


@require_safe
@role_required("viewer")
@tells_problems
def comparison_json(request: HttpRequest, backup_id: str, comparison_id: int) -> HttpResponseBase:
    """Give what a restore would do as JSON."""
    plan = find_plan(find_backup(backup_id), comparison_id)
    around = {"store": shown(plan.name), "digest": plan.digest, **plan.summary}
    rows = map(_plain_session, compared(plan))
    return twins.json_stream(f"comparison-{backup_id}", around, "sessions", rows)


@require_safe
@role_required("viewer")
@tells_problems
def comparison_csv(request: HttpRequest, backup_id: str, comparison_id: int) -> HttpResponseBase:
    """Give its sessions as CSV."""
    plan = find_plan(find_backup(backup_id), comparison_id)
    rows = (list(_plain_session(one).values()) for one in compared(plan))
    return twins.csv_response(f"comparison-{backup_id}", list(_SESSION_FIELDS), rows)


def _plain_session(one: ComparedSession) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _SESSION_FIELDS}


@require_safe
@role_required("viewer")
@tells_problems
def retention_json(request: HttpRequest) -> HttpResponseBase:
    """Give the preview of a policy as JSON; an empty policy is refused."""
    seen = _preview(request)
    content = {
        "digest": seen.digest,
        "kept": seen.kept,
        "removed": seen.removed,
        "freed_bytes": seen.freed_bytes,
        "backups": [plain(row) for row in seen.rows],
    }
    return twins.json_response("retention", content)


@require_safe
@role_required("viewer")
@tells_problems
def schedules_json(request: HttpRequest) -> HttpResponseBase:
    """Give the schedules as JSON."""
    rows = [{**asdict(one), "next_at": twins.iso(one.next_at_ms)} for one in list_schedules()]
    return twins.json_response("schedules", {"schedules": rows})


@require_safe
@role_required("viewer")
@tells_problems
def retention_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same preview as CSV; what no rule keeps would go."""
    rows = [
        [row.id, row.store, " + ".join(row.rules), row.size_bytes] for row in _preview(request).rows
    ]
    return twins.csv_response("retention", ["id", "store", "rules", "size_bytes"], rows)


def _preview(request: HttpRequest) -> RetentionPreview:
    form = PolicyForm(request.GET)
    if not form.is_valid():
        name = next(iter(form.errors))
        told = str(form.errors[name][0])
        raise ProblemError(Problem(f"{name}: {told}", told, "", 422))
    seen = preview(form.policy(), form.stores)
    if seen.problem is not None:
        raise ProblemError(seen.problem)
    return seen


@require_safe
@role_required("viewer")
@tells_problems
def schedules_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the schedules as CSV."""
    header = [
        "id",
        "agents",
        "every",
        "at",
        "transcripts",
        "retention",
        "drill",
        "next_at",
        "missed_at",
    ]
    rows = [
        [
            *(one.id, " + ".join(one.agents or ()), one.weekday_word if one.weekly else "day"),
            *(one.clock, one.transcripts, one.retention, one.drill),
            *(twins.iso(one.next_at_ms), twins.iso(one.missed_at_ms)),
        ]
        for one in list_schedules()
    ]
    return twins.csv_response("schedules", header, rows)
