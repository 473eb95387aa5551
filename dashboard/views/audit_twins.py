"""The audit log for programs: the same events as JSON and CSV, each export itself an event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import audit, twins
from dashboard.acting import actor_of
from dashboard.audit_chain import head_now
from dashboard.audit_checks import chain_state
from dashboard.audit_filters import Asked
from dashboard.audit_pages import every, page_of
from dashboard.audit_rows import row_of
from dashboard.models import AuditEvent
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required

from .answers import tells_problems
from .audit import asked_of

_FIELDS = (
    *("sequence", "at", "person", "role", "address", "action", "target", "outcome", "reason"),
    *("request_id", "change", "intent", "details", "altered", "previous_hash", "hash"),
)


@require_safe
@role_required("admin")
@tells_problems
def audit_json(request: HttpRequest) -> HttpResponseBase:
    """Give the log as JSON: the page that the address names, else every event that matches."""
    form, asked = asked_of(request)
    chain = chain_state()
    around = {
        "total": chain.events,
        "end": chain.end,
        "chain": {"state": chain.state, "checked_at": twins.iso(chain.at_ms)},
        "ignored_parameters": form.unknown(),
        "invalid_parameters": {name: list(map(str, told)) for name, told in form.errors.items()},
    }
    rows = _on_record(request, "json", asked)
    return twins.json_stream("audit", around, "events", rows)


@require_safe
@role_required("admin")
@tells_problems
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same events as CSV."""
    _form, asked = asked_of(request)
    rows = _on_record(request, "csv", asked)
    return twins.csv_response("audit", list(_FIELDS), (_cells(row) for row in rows))


def _on_record(request: HttpRequest, kind: str, asked: Asked) -> Iterator[dict[str, Any]]:
    """Every event as programs read it, between an intent and an outcome of the export.

    The intent is written when this is called, the outcome when the last event was taken or
    whoever took them went away.
    """
    by = actor_of(cast(ConsoleRequest, request))
    upto = head_now().sequence
    details = {"format": kind, "query": request.GET.urlencode()[:2000], "newest": upto}
    intent = audit.record(
        None, by=by, action="audit.export", outcome="started", details=details
    ).sequence
    is_page = asked.below is not None or asked.above is not None
    events = page_of(asked).events if is_page else every(asked, upto=upto)

    def taken() -> Iterator[dict[str, Any]]:
        count, outcome = 0, "failed"
        try:
            for event in events:
                yield _plain(event)
                count += 1
            outcome = "done"
        finally:
            given = details | {"intent": intent, "events": count}
            audit.record(None, by=by, action="audit.export", outcome=outcome, details=given)

    return taken()


def _plain(event: AuditEvent) -> dict[str, Any]:
    row = row_of(event)
    plain: dict[str, Any] = {name: getattr(row, name, None) for name in _FIELDS}
    return plain | {
        "at": twins.iso(row.at_ms),
        "change": row.change_id,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def _cells(row: dict[str, Any]) -> list[object]:
    text = json.dumps(row["details"], sort_keys=True, ensure_ascii=False)
    return list((row | {"details": text}).values())
