"""Clearing a lock file whose owner is proven gone."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_POST

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.forms_locks import ClearForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services import locks_acts
from dashboard.services.locks_page import lock_page
from dashboard.services.problems import Problem, ProblemError

from .answers import tells_problems
from .locks import list_of, page_of


@require_POST
@role_required("operator")
@tells_problems
def clear(request: ConsoleRequest, store_id: str, lock_id: str) -> HttpResponseBase:
    """Remove the lock file, and say what was found by looking again."""
    page = lock_page(store_id, lock_id)
    asked = page.row.must_understand if page.row else ""
    form = ClearForm(request.POST, must_understand=bool(asked))
    refused = recent.confirmed(request) if form.is_valid() else ""
    if page.row is not None and (not form.is_valid() or refused):
        extra = {"clear_form": form, "refused": refused}
        return page_of(request, store_id, lock_id, extra=extra, status=422)
    try:
        cleared = locks_acts.clear(
            actor_of(request),
            store_id,
            lock_id,
            reason=form.cleaned_data.get("reason", ""),
            understood=bool(form.cleaned_data.get("understood")),
        )
    except ProblemError as error:
        return _as_it_is_now(request, store_id, lock_id, error.problem)
    return render(request, "lock_cleared.html", {"cleared": cleared})


def _as_it_is_now(
    request: ConsoleRequest, store_id: str, lock_id: str, problem: Problem
) -> HttpResponse:
    """Nothing was removed: the lock as it is now, or where it is gone, what the store holds."""
    extra: dict[str, Any] = {"changed": problem}
    if lock_page(store_id, lock_id).row is None:
        return list_of(request, store_id, extra=extra, status=problem.status)
    return page_of(request, store_id, lock_id, extra=extra, status=problem.status)
