"""What a damaged or missing store, or one session of it, can be recovered from."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent, twins
from dashboard.acting import actor_of
from dashboard.forms_backups import RecoverForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.backup_asking import ask_recover
from dashboard.services.fleet import fleet
from dashboard.services.recovering import recover_page

from .answers import tells_problems
from .backups import powers

_REF = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")


@require_safe
@role_required("viewer")
@tells_problems
def page(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """List what there is; reading it repairs nothing."""
    return _page(request, store_id, RecoverForm())


@require_safe
@role_required("viewer")
@tells_problems
def as_json(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Give the same list as JSON."""
    seen = recover_page(store_id, ref=_ref(request))
    content = {
        "store": seen.store,
        "session": seen.key or None,
        "problem": seen.problem.detail if seen.problem else None,
        "candidates": [
            {**asdict(row), "at": twins.iso(row.at_ms), "newest": twins.iso(row.newest_at_ms)}
            for row in seen.rows
        ],
    }
    return twins.json_response(f"recover-{seen.store}", content)


@require_safe
@role_required("viewer")
@tells_problems
def as_csv(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Give the same list as CSV."""
    seen = recover_page(store_id, ref=_ref(request))
    header = ["kind", "name", "sessions", "size_bytes", "at", "newest", "readable", "note"]
    rows = [
        [
            *(row.kind, row.name, row.sessions, row.size_bytes, twins.iso(row.at_ms)),
            *(twins.iso(row.newest_at_ms), row.readable, row.note),
        ]
        for row in seen.rows
    ]
    return twins.csv_response(f"recover-{seen.store}", header, rows)


@require_POST
@role_required("admin")
@tells_problems
def run(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Copy what a candidate holds to a new place."""
    reader = fleet().reader(store_id)
    form = RecoverForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        return _page(request, store_id, form, extra={"refused": refused}, status=422)
    read = form.cleaned_data
    job = ask_recover(
        actor_of(request), reader, read["candidate"], name=read["name"], reason=read["reason"]
    )
    return redirect("job", job.pk)


def _ref(request: ConsoleRequest) -> str:
    found = _REF.fullmatch(request.GET.get("session", ""))
    return found[0] if found else ""


def _page(
    request: ConsoleRequest,
    store_id: str,
    form: RecoverForm,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    seen = recover_page(store_id, ref=_ref(request))
    context = {"seen": seen, "form": form, **powers(request), **(extra or {})}
    return render(request, "recover.html", context, status=status)
