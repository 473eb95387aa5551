"""The versions of a session: their list, two of them compared, and bringing one back."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from dashboard.acting import actor_of
from dashboard.forms_undo import WAITS_S, UndoForm
from dashboard.links import Link
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.carrying import Saved
from dashboard.services.change_problems import InvalidFieldsError, LockedError, MovedError
from dashboard.services.problems import ProblemError
from dashboard.services.restoring import (
    NOW,
    Chosen,
    RestorePlan,
    carry_out_restore,
    choose,
    plan_restore,
)
from dashboard.services.undo_words import fields_read_back
from dashboard.services.versions import History, history_of

from .answers import page_or_part, tells_problems


@require_safe
@role_required("viewer")
@tells_problems
def session_versions(request: HttpRequest, store_id: str, ref: str) -> HttpResponseBase:
    """Show the versions of a session, also of one that is gone; HTMX gets them without the page."""
    here = Link(reverse("session_versions", args=[store_id, ref]))
    context = versions_context(request, store_id, ref, here, target="#versions")
    return page_or_part(request, "versions.html", "_versions.html", context)


def versions_of_gone(
    request: ConsoleRequest, store_id: str, ref: str, error: ProblemError
) -> HttpResponseBase:
    """The answer for a session that is not there any more: its versions, to restore one.

    Raises:
        ProblemError: ``error``, when it is another one or no version is kept.
    """
    if error.problem.status != 404 or request.htmx:
        raise error
    here = Link(reverse("session_versions", args=[store_id, ref]))
    try:
        context = versions_context(request, store_id, ref, here, target="#versions")
    except ProblemError:
        raise error from None
    if not context["version_rows"]:
        raise error
    return render(request, "versions.html", context, status=404)


def versions_tab(request: HttpRequest, store_id: str, ref: str) -> dict[str, Any]:
    """What the session page's tab needs."""
    here = Link(reverse("session", args=[store_id, ref]), (("tab", "versions"),))
    return versions_context(request, store_id, ref, here, target="#session-tab")


def versions_context(
    request: HttpRequest, store_id: str, ref: str, here: Link, *, target: str
) -> dict[str, Any]:
    """The list and what is compared, with links that stay on the page at ``here``."""
    history = history_of(store_id, ref)
    chosen = choose(history, request.GET.get("a", ""), request.GET.get("b", ""))
    args = [store_id, ref]
    pair = (("a", chosen.a), ("b", chosen.b)) if chosen.comparison else ()
    return {
        "history": history,
        "chosen": chosen,
        "before_name": _name(history, chosen.a),
        "after_name": _name(history, chosen.b),
        "picked_a": chosen.a or (history.rows[0].id if history.rows else NOW),
        "picked_b": chosen.b or NOW,
        "restores": _restores(history, chosen),
        "stay": here,
        "target": target,
        "version_rows": [(row, str(here.set("a", row.id).set("b", NOW))) for row in history.rows],
        "json_url": str(Link(reverse("session_versions_json", args=args), pair)),
        "csv_url": reverse("session_versions_csv", args=args),
        "whole_url": str(Link(reverse("session_versions_json", args=args), pair)),
    }


def _restores(history: History, chosen: Chosen) -> str:
    """The version that can be restored from here: one compared with now, if it had a session."""
    row = history.row(chosen.a)
    if chosen.comparison is None or chosen.b != NOW or row is None or not row.existed:
        return ""
    return row.id


def _name(history: History, ident: str) -> dict[str, Any]:
    """What a state is called over a column: now, or before which change."""
    row = history.row(ident)
    return {"now": ident == NOW, "there": history.there, "row": row}


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def version_restore(
    request: HttpRequest, store_id: str, ref: str, version_id: str
) -> HttpResponseBase:
    """Show exactly what restoring would change now; POST does that, if it still is that."""
    asked = request.POST if request.method == "POST" else request.GET
    field = asked.get("field", "")
    plan = plan_restore(store_id, ref, version_id, field)
    form = UndoForm(request.POST)
    if request.method != "POST":
        return _page(request, plan, form, {})
    try:
        saved = carry_out_restore(
            actor_of(cast(ConsoleRequest, request)),
            plan,
            token=request.POST.get("token", ""),
            reason=form.reason_text,
            wait_s=form.wait_s,
        )
    except LockedError as error:
        return _page(request, plan, form, {"locked": error}, 409)
    except (MovedError, InvalidFieldsError) as error:
        fresh = plan_restore(store_id, ref, version_id, field)
        return _page(request, fresh, form, {"refusal": error.problem}, error.problem.status)
    except ProblemError as error:
        return _page(request, plan, form, {"refusal": error.problem}, error.problem.status)
    if plan.repairs:
        messages.success(request, _("It is restored. The damaged file is in quarantine."))
        return redirect("session", store_id, ref)
    _tell(request, saved)
    if saved.change_id is None:
        return redirect("session_versions", store_id, ref)
    return redirect("change", saved.change_id)


def _page(
    request: HttpRequest, plan: RestorePlan, form: UndoForm, more: dict[str, Any], status: int = 200
) -> HttpResponseBase:
    context = {
        "plan": plan,
        "history": plan.history,
        "form": form,
        "waits": WAITS_S,
        "not_theirs": plan.refusal_for(cast(ConsoleRequest, request).role or ""),
        **more,
    }
    return render(request, "version_restore.html", context, status=status)


def _tell(request: HttpRequest, saved: Saved) -> None:
    if saved.unchanged:
        messages.info(request, saved.skipped)
    elif saved.verified:
        said = [_("It is restored."), fields_read_back(len(saved.changed)), *saved.notes]
        messages.success(request, " ".join(said))
    else:
        said = [
            _("It is restored, and a writer changed the session again right after."),
            *saved.notes,
        ]
        messages.warning(request, " ".join(said))
