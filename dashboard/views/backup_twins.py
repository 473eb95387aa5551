"""Backups and what is in them, for programs: JSON and CSV."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.forms_backups import BackupFilters
from dashboard.roles import role_required
from dashboard.services.archived_sessions import archived
from dashboard.services.backup_catalogue import find_backup
from dashboard.services.backup_list import BackupList, list_backups
from dashboard.services.backup_pages import backup_page
from dashboard.services.backup_rows import BackupRow
from dashboard.services.problems import Problem
from dashboard.services.tree import shown

from .answers import tells_problems

FIELDS = (
    *("id", "store", "scope", "layout", "created_at", "reason", "by", "sessions", "transcripts"),
    *("size_bytes", "content_bytes", "sha256", "compression", "exclusive_ms", "took_s", "held"),
    *("verified_at", "verified_depth", "proven_at", "problem", "rules"),
)
_TIMES = {
    "created_at": "created_at_ms",
    "verified_at": "verified_at_ms",
    "proven_at": "proven_at_ms",
}


def plain(row: BackupRow) -> dict[str, Any]:
    """A backup as JSON."""
    told = {
        name: twins.iso(getattr(row, _TIMES[name])) if name in _TIMES else getattr(row, name)
        for name in FIELDS
    }
    return told | {"rules": list(row.rules)}


@require_safe
@role_required("viewer")
@tells_problems
def backups_json(request: HttpRequest) -> HttpResponseBase:
    """Give every backup that the filters let through as JSON."""
    listed = _listed(request)
    content = {
        "sentence": listed.sentence,
        "free_bytes": listed.free,
        "next_at": twins.iso(listed.next_at_ms),
        "without": [store.name for store in listed.without],
        "problems": [problem.detail for problem in listed.problems],
        "backups": [plain(row) for row in listed.rows],
    }
    return twins.json_response("backups", content)


@require_safe
@role_required("viewer")
@tells_problems
def backups_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same backups as CSV."""
    rows = [
        [" + ".join(v) if isinstance(v, list) else v for v in plain(row).values()]
        for row in _listed(request).rows
    ]
    return twins.csv_response("backups", list(FIELDS), rows)


def _listed(request: HttpRequest) -> BackupList:
    return list_backups(BackupFilters(request.GET).wanted(), paged=False)


@require_safe
@role_required("viewer")
@tells_problems
def backup_json(request: HttpRequest, backup_id: str) -> HttpResponseBase:
    """Give one backup as JSON, with its sessions as the manifest has them."""
    seen = backup_page(backup_id, page=1)
    around = {
        **plain(seen.row),
        "findings": [finding.message for finding in seen.findings],
        "checks": [asdict(check) for check in seen.history],
        "sessions_problem": seen.problem.detail if seen.problem else None,
    }
    return twins.json_stream(f"backup-{backup_id}", around, "content", _sessions(backup_id))


@require_safe
@role_required("viewer")
@tells_problems
def backup_csv(request: HttpRequest, backup_id: str) -> HttpResponseBase:
    """Give its sessions as CSV."""
    rows = [list(one.values()) for one in _sessions(backup_id)]
    header = ["key", "size_bytes"]
    return twins.csv_response(f"backup-{backup_id}", header, rows)


def _sessions(backup_id: str) -> list[dict[str, Any]]:
    found = archived(find_backup(backup_id))
    if isinstance(found, Problem):
        return []
    # Without the digests: they are of unmasked content, which could be guessed by them.
    return [{"key": shown(one.key), "size_bytes": one.size_bytes} for one in found]
