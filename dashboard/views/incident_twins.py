"""Incidents for programs: the list and one of them as JSON and CSV."""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.roles import role_required
from dashboard.services.incidents.listing import every_incident
from dashboard.services.incidents.meanwhile import marks_of
from dashboard.services.incidents.notes import notes_of
from dashboard.services.incidents.seeing import (
    IncidentRow,
    find_incident,
    readers_of,
    row_of,
)
from dashboard.services.incidents.summary import plain, summary_of
from dashboard.services.incidents.verdicts import Seen

from .answers import tells_problems
from .incidents import asked

_FIELDS = ("id", "title", "from", "until", "open", "stores", "marked_by", "marked_at", "notes")


@require_safe
@role_required("viewer")
@tells_problems
def incidents_json(request: HttpRequest) -> HttpResponseBase:
    """Give the incidents as JSON: the page that the address names, else every one that matches."""
    form, wanted = asked(request)
    around = {
        "ignored_parameters": form.unknown(),
        "invalid_parameters": {name: list(map(str, told)) for name, told in form.errors.items()},
    }
    return twins.json_stream("incidents", around, "incidents", map(_plain, every_incident(wanted)))


@require_safe
@role_required("viewer")
@tells_problems
def incidents_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same incidents as CSV."""
    _form, wanted = asked(request)
    rows = (_cells(_plain(row)) for row in every_incident(wanted))
    return twins.csv_response("incidents", list(_FIELDS), rows)


@require_safe
@role_required("viewer")
@tells_problems
def incident_json(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Give one incident as JSON: its notes, what writers reported, and the locks as marked."""
    found = find_incident(incident_id)
    row, readers = row_of(found), readers_of(found)
    end_ms = time.time_ns() // 1_000_000 if row.end_ms is None else row.end_ms
    content = {
        **_plain(row),
        "notes": [
            {"at": twins.iso(one.at_ms), "by": one.actor, "text": one.text}
            for one in notes_of(found)
        ],
        "events": [
            {
                "kind": mark.kind,
                "title": mark.title,
                "from": twins.iso(mark.at_ms),
                "until": twins.iso(mark.until_ms),
                "url": mark.url,
            }
            for mark in marks_of(found, readers, end_ms)
        ],
        "summary": plain(summary_of(readers, row.start_ms, end_ms)),
        "locks_when_marked": Seen.of(found.seen).plain(),
    }
    return twins.json_response(f"incident-{incident_id}", content)


@require_safe
@role_required("viewer")
@tells_problems
def incident_csv(request: HttpRequest, incident_id: int) -> HttpResponseBase:
    """Give what writers reported in its span as CSV, a line for each store."""
    found = find_incident(incident_id)
    row = row_of(found)
    end_ms = time.time_ns() // 1_000_000 if row.end_ms is None else row.end_ms
    stores: Any = plain(summary_of(readers_of(found), row.start_ms, end_ms))["stores"]
    return twins.csv_response(
        f"incident-{incident_id}",
        _STORE_FIELDS,
        ([one[name] for name in _STORE_FIELDS] for one in stores),
    )


_STORE_FIELDS = [
    *("store_id", "store", "updates", "timeouts", "contended", "wait_p95_ms", "wait_max_ms"),
    *("hold_p95_ms", "hold_max_ms", "write_p95_ms", "write_max_ms", "processes", "gap_ms"),
    "problem",
]


def _plain(row: IncidentRow) -> dict[str, Any]:
    """An incident as programs read it; ``stores`` is "all" or the ids."""
    return {
        "id": row.id,
        "title": row.title,
        "from": twins.iso(row.start_ms),
        "until": twins.iso(row.end_ms),
        "open": row.is_open,
        "stores": "all" if row.everywhere else [store.id for store in row.stores],
        "marked_by": row.actor,
        "marked_at": twins.iso(row.marked_at_ms),
        "notes": row.notes,
    }


def _cells(content: dict[str, Any]) -> list[object]:
    return [" ".join(value) if isinstance(value, list) else value for value in content.values()]
