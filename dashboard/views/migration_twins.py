"""Previews of migrations, and the list of stores, for programs: JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.models import StorePlan
from dashboard.roles import role_required
from dashboard.services.fleet import fleet
from dashboard.services.migration_list import MigrationRow, list_migrations
from dashboard.services.migration_plans import find_kept
from dashboard.services.migration_rows import SessionRow, preview_rows
from dashboard.services.migration_runs import last_run
from dashboard.services.migration_words import ACTIONS

from .answers import tells_problems

_FIELDS = (*("number", "key", "action", "source", "size_bytes", "file_name", "spelt", "reason"),)
_LIST_FIELDS = (
    *("id", "agent", "layout", "sessions", "bytes", "state", "sentence", "checked_at"),
    *("last_outcome", "last_run_at", "last_sentence"),
)


@require_safe
@role_required("viewer")
@tells_problems
def migrations_json(request: HttpRequest) -> HttpResponseBase:
    """Give every store as JSON."""
    listed = list_migrations()
    content = {
        "state_dir": listed.state_dir,
        "read_at": twins.iso(listed.read_at_ms),
        "sentence": listed.sentence,
        "problem": listed.problem.detail if listed.problem else None,
        "stores": [_plain_store(row) for row in listed.rows],
    }
    return twins.json_response("migration", content)


@require_safe
@role_required("viewer")
@tells_problems
def migrations_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same stores as CSV."""
    rows = [list(_plain_store(row).values()) for row in list_migrations().rows]
    return twins.csv_response("migration", list(_LIST_FIELDS), rows)


def _plain_store(row: MigrationRow) -> dict[str, Any]:
    last = row.last
    values = (
        *(row.store.id, row.store.name, row.store.layout, row.store.sessions, row.store.bytes),
        *(row.word, row.sentence),
        twins.iso(row.preview.created_at_ms) if row.preview else None,
        last.report["outcome"] if last else None,
        twins.iso(last.at_ms) if last else None,
        last.report["sentence"] if last else None,
    )
    return dict(zip(_LIST_FIELDS, values, strict=True))


@require_safe
@role_required("viewer")
@tells_problems
def preview_json(request: HttpRequest, store_id: str, kind: str) -> HttpResponseBase:
    """Give the preview of a migration, or of undoing one, as JSON with the last run's report."""
    reader = fleet().reader(store_id)
    kept, last = find_kept(reader.id, kind), last_run(reader.id)
    around: dict[str, Any] = {
        "store": reader.name,
        "kind": kind,
        "last_run": dict(last.report) if last else None,
        "preview": None,
    }
    if kept is None:
        around["sentence"] = _("Nobody has looked at this store in the last 24 hours.")
    else:
        around["preview"] = {
            "outcome": kept.outcome,
            "digest": kept.digest,
            "made_at": twins.iso(kept.created_at_ms),
            "by": kept.actor,
            **kept.summary,
        }
    sessions = map(_plain, _sessions(request, kept, kind))
    return twins.json_stream(f"{kind}-{reader.name}", around, "sessions", sessions)


@require_safe
@role_required("viewer")
@tells_problems
def preview_csv(request: HttpRequest, store_id: str, kind: str) -> HttpResponseBase:
    """Give its sessions as CSV."""
    reader = fleet().reader(store_id)
    kept = find_kept(reader.id, kind)
    rows = (list(_plain(row).values()) for row in _sessions(request, kept, kind))
    return twins.csv_response(f"{kind}-{reader.name}", list(_FIELDS), rows)


def _sessions(request: HttpRequest, kept: StorePlan | None, kind: str) -> Iterator[SessionRow]:
    if kept is None:
        return iter(())
    action = request.GET.get("action", "")
    return preview_rows(kept, action=action if action in ACTIONS[kind] else "")


def _plain(row: SessionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _FIELDS}
