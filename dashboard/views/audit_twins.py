"""The audit log for programs: the same events as JSON and CSV, each export itself an event."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import audit, twins
from dashboard.acting import Actor, actor_of
from dashboard.audit_chain import head_now
from dashboard.audit_checks import chain_state
from dashboard.audit_export import Export, find_export
from dashboard.audit_filters import Asked
from dashboard.audit_pages import page_of
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The events of one answer; ``following`` is the address of those that come after them."""

    name: str
    following: str
    rows: Iterator[dict[str, Any]]

    def answered(self, response: HttpResponseBase) -> HttpResponseBase:
        """The answer with the address of the next one, for whoever reads no JSON."""
        if self.following:
            response["Link"] = f'<{self.following}>; rel="next"'
        return response


@require_safe
@role_required("admin")
@tells_problems
def audit_json(request: HttpRequest) -> HttpResponseBase:
    """Give the log as JSON: the page that the address names, else the events that match.

    Of those at most so many; ``next`` is then where the others are.
    """
    form, asked = asked_of(request)
    chain = chain_state()
    chosen = _on_record(request, "json", asked)
    around = {
        "total": chain.events,
        "end": chain.end,
        "chain": {"state": chain.state, "checked_at": twins.iso(chain.at_ms)},
        "ignored_parameters": form.unknown(),
        "invalid_parameters": {name: list(map(str, told)) for name, told in form.errors.items()},
        "next": chosen.following or None,
    }
    return chosen.answered(twins.json_stream(chosen.name, around, "events", chosen.rows))


@require_safe
@role_required("admin")
@tells_problems
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same events as CSV; the header ``Link`` says where the next ones are."""
    _form, asked = asked_of(request)
    chosen = _on_record(request, "csv", asked)
    rows = (_cells(row) for row in chosen.rows)
    return chosen.answered(twins.csv_response(chosen.name, list(_FIELDS), rows))


def _on_record(request: HttpRequest, kind: str, asked: Asked) -> _Chosen:
    """Events as programs read them, between an intent and an outcome of the export.

    The intent is written when this is called, the outcome when the last event was taken or
    whoever took them went away.
    """
    by = actor_of(cast(ConsoleRequest, request))
    newest = head_now().sequence
    details = {"format": kind, "query": request.GET.urlencode()[:2000], "newest": newest}
    intent = audit.record(
        None, by=by, action="audit.export", outcome="started", details=details
    ).sequence
    if asked.below is not None or asked.above is not None:
        events = page_of(asked).events
        return _Chosen("audit", "", _taken(events, by, details | {"intent": intent}))
    export = find_export(asked, newest=newest)
    rows = _taken(export.events(), by, details | {"intent": intent, "next": export.following})
    return _Chosen(_name(export), _following(request, export), rows)


def _taken(events: Iterable[AuditEvent], by: Actor, details: Mapping[str, Any]) -> Iterator[Any]:
    count, outcome = 0, "failed"
    try:
        for event in events:
            yield _plain(event)
            count += 1
        outcome = "done"
    finally:
        given = {**details, "events": count}
        audit.record(None, by=by, action="audit.export", outcome=outcome, details=given)


def _name(export: Export) -> str:
    """What the file is called: from which event to which, where it is not all there is."""
    if export.following is None or not export.numbers:
        return "audit"
    return f"audit-{export.numbers[0]}-to-{export.numbers[-1]}"


def _following(request: HttpRequest, export: Export) -> str:
    if export.following is None:
        return ""
    query = request.GET.copy()
    query["upto"] = str(export.following)
    return f"{request.path}?{query.urlencode()}"


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
