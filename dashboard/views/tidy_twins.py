"""Findings for programs: JSON and CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from dashboard import scope, twins
from dashboard.forms_tidy import FindingFilters
from dashboard.roles import role_required
from dashboard.services.tidy_findings import FindingRow, all_rows
from dashboard.services.tidy_pages import newest_reports, readers_of, tidy_page

from .answers import tells_problems

_FIELDS = (
    *("store_id", "store", "rule", "severity", "confidence", "key", "path", "size_bytes", "since"),
    *("message", "hint", "evidence", "is_new", "is_gone"),
)


@require_safe
@role_required("viewer")
@tells_problems
def findings_json(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the findings of the newest checks as JSON, with what was examined and every rule."""
    form = FindingFilters(request.GET)
    seen = tidy_page(store_id, form.wanted())
    around: dict[str, Any] = {
        "sentence": seen.sentence,
        "problem": seen.problem.detail if seen.problem else None,
        "new": seen.new,
        "gone": seen.gone,
        "stores": [
            {
                "store_id": row.id,
                "name": row.name,
                "examined_at": twins.iso(row.report.examined_at_ms) if row.report else None,
                "sentence": row.sentence,
                "figures": dict(row.report.figures) if row.report else None,
            }
            for row in seen.stores
        ],
        "rules": [
            {
                "rule": row.slug,
                "title": row.title,
                "meaning": row.meaning,
                "count": row.count,
                "bytes": row.bytes,
                "oldest": twins.iso(row.oldest_ms),
                "confidence": dict(row.sure),
            }
            for row in (*seen.rules, *seen.silent)
        ],
        "matched": seen.findings.matched,
    }
    return twins.json_stream("findings", around, "findings", map(_plain, _rows(form, store_id)))


@require_safe
@role_required("viewer")
@tells_problems
def findings_csv(request: HttpRequest, store_id: str | None = None) -> HttpResponseBase:
    """Give the same findings as CSV."""
    form = FindingFilters(request.GET)
    rows = (
        ["; ".join(value) if isinstance(value, list) else value for value in _plain(row).values()]
        for row in _rows(form, store_id)
    )
    return twins.csv_response("findings", list(_FIELDS), rows)


def _rows(form: FindingFilters, store_id: str | None) -> Iterator[FindingRow]:
    readers, _problem = readers_of(store_id)
    by_id = {reader.id: reader for reader in readers}
    found = all_rows(newest_reports(list(by_id)), by_id, form.wanted())
    return scope.limited_items(found, scope.current())


def _plain(row: FindingRow) -> dict[str, Any]:
    values = (
        *(row.store_id, row.store, row.rule, row.severity, row.confidence, row.key, row.path),
        *(row.size_bytes, twins.iso(row.at_ms), row.message, row.hint, list(row.evidence)),
        *(row.is_new, row.is_gone),
    )
    return dict(zip(_FIELDS, values, strict=True))
