"""A new backup: of every store, of some, of sessions that were picked, or of one session."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from dashboard.acting import actor_of
from dashboard.forms_backups import CreateForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.backup_asking import ask_backup
from dashboard.services.backup_list import free_room
from dashboard.services.backup_picking import Picked, picked_by_plan, picked_session, stores_to_pick
from dashboard.services.fleet import fleet

from .answers import tells_problems

_PLAN = re.compile(r"[0-9a-f]{32}")
_SESSION = re.compile(r"([0-9a-f]{12})-([0-9a-f]{16}|[0-9a-f]{64})")


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def new(request: ConsoleRequest) -> HttpResponseBase:
    """Show what would be backed up, and start it."""
    picked = _picked(request)
    if request.method != "POST":
        return _page(request, CreateForm(), picked)
    form = CreateForm(request.POST)
    chosen = picked.store_ids if picked else form.stores
    if not form.is_valid() or not chosen:
        return _page(request, form, picked, is_none_chosen=not chosen, status=422)
    job = ask_backup(
        actor_of(request),
        [fleet().reader(store_id) for store_id in chosen],
        transcripts=form.cleaned_data["transcripts"],
        reason=form.cleaned_data["reason"],
        keys=picked.keys if picked else None,
    )
    messages.success(request, _("The backup is started. You may close this page."))
    return redirect("job", job.pk)


def _picked(request: ConsoleRequest) -> Picked | None:
    """The sessions that the address names, by a selection or one by one."""
    if found := _PLAN.fullmatch(request.GET.get("plan", "")):
        return picked_by_plan(actor_of(request), found[0])
    if one := _SESSION.fullmatch(request.GET.get("session", "")):
        return picked_session(one[1], one[2])
    return None


def _page(
    request: ConsoleRequest,
    form: CreateForm,
    picked: Picked | None,
    *,
    is_none_chosen: bool = False,
    status: int = 200,
) -> HttpResponse:
    stores: Sequence[Any] = () if picked else stores_to_pick()
    context: Mapping[str, Any] = {
        "form": form,
        "picked": picked,
        "stores": stores,
        "ticked": form.stores if form.is_bound else tuple(store.id for store in stores),
        "total_bytes": sum(store.bytes or 0 for store in stores),
        "total_sessions": sum(store.sessions or 0 for store in stores),
        "free": free_room(),
        "is_none_chosen": is_none_chosen,
        "address": request.get_full_path(),
    }
    return render(request, "backup_new.html", dict(context), status=status)
