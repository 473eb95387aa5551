"""What became of a change that was just made, on the page of its session."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.live import LONGEST_S
from dashboard.requests import ConsoleRequest
from dashboard.roles import includes, role_required
from dashboard.services.edit_look import look_at
from dashboard.services.edit_result import Result, result_of
from dashboard.services.problems import ProblemError

from .answers import STOP_POLLING, tells_problems


@require_safe
@role_required("viewer")
@tells_problems
def session_change(
    request: ConsoleRequest, store_id: str, ref: str, change_id: int
) -> HttpResponseBase:
    """Look again at what became of a change; as a page that is the change's own."""
    if not request.htmx:
        return redirect("change", change_id)
    result = result_of(change_id, look_at(store_id, ref))
    is_over = _is_over(result)
    context = _context(request, store_id, ref, result, watching=not is_over)
    status = STOP_POLLING if is_over else 200
    return render(request, "_change_result.html", context, status=status)


def may_edit(request: ConsoleRequest) -> bool:
    """Whether to show what changes a session: never to viewers, never in read-only mode."""
    return includes(request.role, "operator") and not settings.READ_ONLY


def result_context(request: ConsoleRequest, store_id: str, ref: str) -> dict[str, Any]:
    """What the page of a session shows of the change that its address names, if it names one."""
    asked = request.GET.get("changed", "")
    if not asked.isascii() or not asked.isdigit() or len(asked) > 18:
        return {}
    try:
        result = result_of(int(asked), look_at(store_id, ref))
    except ProblemError:
        return {}  # of another session, or long gone: the page itself is what was asked for
    watching = request.GET.get("watch") == "1" and not _is_over(result)
    return _context(request, store_id, ref, result, watching=watching)


def _is_over(result: Result) -> bool:
    """Whether there is nothing to look for any more: a later write, no session, too long a look."""
    age_s = (timezone.now() - result.change.at).total_seconds()
    return result.moved_on or not result.is_there or age_s > LONGEST_S


def _context(
    request: ConsoleRequest, store_id: str, ref: str, result: Result, *, watching: bool
) -> dict[str, Any]:
    return {
        "result": result,
        "result_url": reverse("session_change", args=[store_id, ref, result.change.pk]),
        "watching": watching,
        "may_edit": may_edit(request),
        "row": {"store_id": store_id, "ref": ref},
    }
