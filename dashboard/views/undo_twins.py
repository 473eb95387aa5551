"""Changes and versions for programs: the lists as JSON and CSV, one change as JSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import twins
from dashboard.roles import role_required
from dashboard.services.change_rows import ChangeRow
from dashboard.services.comparing import whole_values
from dashboard.services.restoring import choose, entry_of
from dashboard.services.undo import change_detail
from dashboard.services.undo_list import every_change
from dashboard.services.versions import VersionRow, history_of

from .answers import tells_problems
from .undo import asked

_FIELDS = (
    *("id", "actor", "via", "store_id", "store_name", "agent", "ref", "key", "kind", "reason"),
    *("version_id", "job_id", "undoes_id", "undone_by_id"),
)
_VERSION_FIELDS = (
    *("id", "by", "action", "reason", "existed", "removed", "is_now", "change_id", "undone"),
)


@require_safe
@role_required("viewer")
@tells_problems
def changes_json(request: HttpRequest) -> HttpResponseBase:
    """Give the changes as JSON: the page that the address names, else every one that matches."""
    form, wanted = asked(request)
    around = {
        "ignored_parameters": form.unknown(),
        "invalid_parameters": {name: list(map(str, told)) for name, told in form.errors.items()},
    }
    return twins.json_stream("changes", around, "changes", map(_plain, every_change(wanted)))


@require_safe
@role_required("viewer")
@tells_problems
def changes_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same changes as CSV."""
    _form, wanted = asked(request)
    rows = (_joined(_plain(row)) for row in every_change(wanted))
    header = [*_FIELDS, "at", "expires_at", "fields", "undo", "undo_words"]
    return twins.csv_response("changes", header, rows)


@require_safe
@role_required("viewer")
@tells_problems
def change_json(request: HttpRequest, change_id: int) -> HttpResponseBase:
    """Give one change with what it did, uncut; with ``field`` only that."""
    detail = change_detail(change_id)
    difference = detail.difference(field=request.GET.get("field", ""))
    content = {**_plain(detail.row), "difference": difference}
    return twins.json_response(f"change-{change_id}", content)


@require_safe
@role_required("viewer")
@tells_problems
def versions_json(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the versions of a session; with ``a`` and ``b`` also how the two differ, uncut."""
    history = history_of(store_id, ref)
    chosen = choose(history, request.GET.get("a", ""), request.GET.get("b", ""))
    content: dict[str, Any] = {
        "store_id": history.store_id,
        "store": history.store_name,
        "key": history.key,
        "exists": history.there,
        "damaged": list(history.damaged),
        "versions": [_plain_version(row) for row in history.rows],
    }
    if chosen.comparison is not None:
        sides = entry_of(history, chosen.a), entry_of(history, chosen.b)
        content["difference"] = whole_values(*sides, field=request.GET.get("field", ""))
    return twins.json_response(f"versions-{ref}", content)


@require_safe
@role_required("viewer")
@tells_problems
def versions_csv(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Give the versions of a session as CSV."""
    rows = (_joined(_plain_version(row)) for row in history_of(store_id, ref).rows)
    return twins.csv_response(f"versions-{ref}", [*_VERSION_FIELDS, "at", "fields"], rows)


def _plain(row: ChangeRow) -> dict[str, Any]:
    """A change as programs read it."""
    plain: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    plain["at"] = twins.iso(row.at_ms)
    plain["expires_at"] = twins.iso(row.expires_at_ms)
    plain["fields"] = list(row.fields)
    plain["undo"] = row.standing.state
    plain["undo_words"] = row.standing.sentence
    return plain


def _plain_version(row: VersionRow) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(row, name) for name in _VERSION_FIELDS}
    plain["at"] = twins.iso(row.at_ms)
    plain["fields"] = list(row.fields)
    return plain


def _joined(plain: dict[str, Any]) -> list[object]:
    return [" ".join(value) if isinstance(value, list) else value for value in plain.values()]
