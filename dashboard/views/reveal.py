"""One masked value in the open: asked for with a reason, shown once, kept nowhere."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.pointers import LONGEST
from dashboard.services.problems import ProblemError
from dashboard.services.reveal import look_at, reveal
from dashboard.services.tree import shown

from .answers import page_or_part, tells_problems

_LONGEST_REASON = 500


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@tells_problems
def session_reveal(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Ask for the reason; with one, and a recent sign-in, show the value on this answer alone."""
    asked = request.GET if request.method != "POST" else request.POST
    pointer = asked.get("field", "")[: LONGEST + 1]
    place = look_at(store_id, ref, pointer)
    context: dict[str, Any] = {"place": place, "shown_pointer": shown(pointer[:200])}
    if request.method != "POST":
        return _answer(request, context)
    reason = request.POST.get("reason", "").strip()[:_LONGEST_REASON]
    context |= {"reason": reason}
    if not reason:
        error = _("Say why the value has to be seen; it is written down with your name.")
        return _answer(request, context | {"reason_error": error}, status=422)
    if refusal := recent.confirmed(request):
        return _answer(request, context | {"confirm_error": refusal}, status=422)
    by = actor_of(cast(ConsoleRequest, request))
    tag = request.POST.get("etag", "")
    try:
        found = reveal(by, store_id, ref, pointer, reason=reason, tag=tag)
    except ProblemError as refused:
        return _answer(request, context | {"error": refused.problem.detail}, status=409)
    return _answer(request, context | {"place": found.place, "revealed": found})


def _answer(request: HttpRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    page, part = "session_reveal.html", "_session_reveal.html"
    return page_or_part(request, page, part, context, status=status)
