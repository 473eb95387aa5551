"""The session list for programs: the same rows as JSON and CSV at the same address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.forms import SessionFilters
from dashboard.roles import role_required
from dashboard.services.rows import SessionRow
from dashboard.services.sessions import SessionList, list_sessions

from .answers import tells_problems
from .sessions import asked

_COLUMN_FIELDS = {
    "updated": ("updated_at_ms", "updated_at"),
    "size": ("size_bytes",),
    "tokens": ("total_tokens", "context_tokens"),
    "notes": ("overrides", "flags", "problem"),
    "id": ("session_id",),
    "agent": (),
    "key": (),
}
_FIELDS = (
    *("store_id", "agent", "key", "session_id", "title", "kind", "machine", "channel", "status"),
    *("updated_at_ms", "size_bytes", "model", "total_tokens", "context_tokens", "file_name"),
    *("problem", "ref", "override_origin"),
)


@require_safe
@role_required("viewer")
@tells_problems
def sessions_json(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the list as JSON: the page that the address names, else every row that matches."""
    form, wanted = asked(request)
    listed = list_sessions(wanted, store_id=store_id, everything=wanted.page is None)
    rows = _selected(request, listed)
    content = {
        "matched": listed.matched,
        "total": listed.total,
        "hidden_machine": listed.hidden_machine,
        "read_at": twins.iso(listed.read_at_ms),
        "late_stores": [
            {"store_id": note.store_id, "name": note.name, "state": note.freshness.state}
            for note in listed.late
        ],
        "ignored_parameters": form.unknown(),
        "invalid_parameters": {name: list(map(str, told)) for name, told in form.errors.items()},
        "facets": listed.facets,
        "sessions": [plain_row(row) for row in rows],
    }
    return twins.json_response("sessions", content)


@require_safe
@role_required("viewer")
@tells_problems
def sessions_csv(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the same rows as CSV."""
    form, wanted = asked(request)
    listed = list_sessions(wanted, store_id=store_id, everything=wanted.page is None)
    return rows_csv(form, _selected(request, listed))


def _selected(request: HttpRequest, listed: SessionList) -> Iterator[SessionRow]:
    """The rows that ``row`` parameters name, or all."""
    chosen = set(request.GET.getlist("row"))
    rows = listed.rows or listed.every_row
    return (row for row in rows if not chosen or row.id in chosen)


def rows_csv(form: SessionFilters, rows: Iterable[SessionRow]) -> HttpResponseBase:
    """Rows as CSV, in the columns of the list that was asked for."""
    header = _header(form)
    plain = map(plain_row, rows)
    return twins.csv_response(
        "sessions", header, ([_joined(row[name]) for name in header] for row in plain)
    )


def plain_row(row: SessionRow) -> dict[str, Any]:
    """A row as programs read it."""
    plain: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    plain["updated_at"] = twins.iso(row.updated_at_ms)
    plain["overrides"] = list(row.overrides)
    plain["flags"] = list(row.flags)
    return plain


def _header(form: SessionFilters) -> list[str]:
    """Every field, or those of the columns that the address chooses."""
    chosen = form.cleaned_data.get("cols")
    if not chosen:
        return [*_FIELDS, "updated_at", "overrides", "flags"]
    fields = (_COLUMN_FIELDS.get(name, (name,)) for name in form.columns())
    return ["store_id", "agent", "key", "title", *(name for group in fields for name in group)]


def _joined(value: object) -> object:
    return " ".join(value) if isinstance(value, list) else value
