"""Actions of their own: each with a page that says what it does, and a form that does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard import recent
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.change_problems import InvalidFieldsError
from dashboard.services.edit_acts import OWN_PAGES, act_page, params_of, seen_label
from dashboard.services.edit_look import Look, look_at, look_to_change
from dashboard.services.edit_saving import Request
from dashboard.services.entry_tags import etag_behind
from dashboard.services.problems import ProblemError

from .answers import tells_problems
from .edit_attempts import Step, attempt
from .edit_refusals import Notice, gone, impossible, refuse_when_read_only

_LONGEST_REASON = 500
_FIELDS = ("label", "seen", "transcript", "etag", "reason")
#: Actions that end what is there: done only to the entry that the page showed.
_ONLY_AS_SEEN = frozenset({"reset", "delete"})


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def session_act(request: ConsoleRequest, store_id: str, ref: str, action: str) -> HttpResponseBase:
    """Show what an action would do, or do it."""
    if action not in OWN_PAGES or action == "delete":
        raise Http404
    return _act(request, store_id, ref, action)


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@tells_problems
def session_delete(request: ConsoleRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show what deleting would do, or do it."""
    return _act(request, store_id, ref, "delete")


def _act(request: ConsoleRequest, store_id: str, ref: str, action: str) -> HttpResponse:
    refuse_when_read_only()
    look = look_to_change(store_id, ref)
    if look.entry is None and not look.is_damaged:
        raise gone()
    if look.is_damaged and action != "delete":
        return impossible(request, look)
    if request.method != "POST":
        return _page(request, look, action, {})
    posted = {
        name: request.POST.get(name, "") for name in (*_FIELDS, "do", "wait_s", "deadline", "ready")
    }
    posted["reason"] = posted["reason"].strip()[:_LONGEST_REASON]
    if action == "delete" and (refusal := recent.confirmed(request)):
        return _page(request, look, action, posted, confirm_error=refusal, status=422)
    asked = Request(
        look.store_id,
        look.ref,
        look.key,
        action=action,
        params=params_of(action, posted),
        if_match=_etag(look, posted) if action in _ONLY_AS_SEEN else None,
        reason=posted["reason"],
    )
    try:
        return attempt(request, _step(look, action, posted), asked, posted)
    except InvalidFieldsError as error:
        return _page(request, look, action, posted, errors=error.errors, status=422)
    except ProblemError as error:
        return _refused(request, look, action, posted, error)


def _etag(look: Look, posted: Mapping[str, str]) -> str | None:
    # What cannot be read has no etag: deleting it moves it to quarantine as it is.
    if look.is_damaged and not posted["etag"]:
        return None
    return etag_behind(posted["etag"], tag=look.tag, etag=look.etag)


def _refused(
    request: ConsoleRequest,
    look: Look,
    action: str,
    posted: Mapping[str, str],
    error: ProblemError,
) -> HttpResponse:
    """The page again, with why nothing was done, and the session as it is by now."""
    told = error.problem
    notice = Notice("watch", told.title, told.detail, told.hint)
    fresh = look_at(look.store_id, look.ref, key=look.key)
    return _page(request, fresh, action, posted, notice=notice, status=told.status)


def _address(look: Look, action: str) -> str:
    place: list[Any] = [look.store_id, look.ref]
    if action == "delete":
        return reverse("session_delete", args=place)
    return reverse("session_act", args=[*place, action])


def _step(look: Look, action: str, posted: Mapping[str, str]) -> Step:
    page = act_page(look, action)
    carried = {name: posted[name] for name in _FIELDS if posted[name]}
    address = _address(look, action)
    return Step(look.row, look.store_name, address, str(page.action.title), carried)


def _page(
    request: ConsoleRequest,
    look: Look,
    action: str,
    posted: Mapping[str, str],
    *,
    notice: Notice | None = None,
    errors: Mapping[str, str] | None = None,
    confirm_error: str = "",
    status: int = 200,
) -> HttpResponse:
    page = act_page(look, action)
    context = {
        "look": look,
        "row": look.row,
        "page": page,
        "address": _address(look, action),
        "notice": notice,
        "label": posted.get("label", page.label),
        "label_error": (errors or {}).get("label", ""),
        "seen": seen_label(look),
        "etag": look.tag,
        "reason": posted.get("reason", ""),
        "keeps_transcript": posted.get("transcript", "archive") == "archive",
        "confirm_error": confirm_error,
    }
    return render(request, "act.html", context, status=status)
