"""A backup beside its store: compare, look at differences, restore to a new place or in place."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.forms_backups import CompareForm, InPlaceForm, PlaceForm
from dashboard.links import Link
from dashboard.list_words import neighbours
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.backup_asking import Target, ask_compare, ask_restore
from dashboard.services.backup_catalogue import find_backup
from dashboard.services.compare_pages import ComparePage, compare_page, fields_of
from dashboard.services.kept_comparisons import find_plan
from dashboard.services.restore_plans import Wanted, is_quick, keys_of, plan_at_once

from .answers import tells_problems
from .backups import powers


@require_POST
@role_required("operator")
@tells_problems
def make(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Compare a backup, sessions of it, or fields of one, with the store. Changes nothing there."""
    kept = find_backup(backup_id)
    form = CompareForm(request.POST)
    refs, ids = form.refs, form.field_ids
    wanted = Wanted(keys_of(kept, refs) if refs else None)
    if ids and wanted.keys is not None and len(wanted.keys) == 1:
        wanted = Wanted(wanted.keys, fields_of(kept, wanted.keys[0], ids))
    if kept.reader is not None and not is_quick(kept, wanted):
        return redirect("job", ask_compare(actor_of(request), kept, wanted.keys).pk)
    plan = plan_at_once(actor_of(request), kept, wanted)
    return redirect("comparison", backup_id, plan.pk)


@require_safe
@role_required("viewer")
@tells_problems
def comparison(request: ConsoleRequest, backup_id: str, comparison_id: int) -> HttpResponseBase:
    """Show what a restore would do."""
    return _page(request, backup_id, comparison_id)


@require_POST
@role_required("admin")
@tells_problems
def to_new_place(request: ConsoleRequest, backup_id: str, comparison_id: int) -> HttpResponseBase:
    """Restore what was compared to a new place."""
    kept = find_backup(backup_id)
    plan = find_plan(kept, comparison_id)
    form = PlaceForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        extra = {"place_form": form, "refused_place": refused}
        return _page(request, backup_id, comparison_id, extra=extra, status=422)
    read = form.cleaned_data
    target = Target(in_place=False, name=read["name"])
    job = ask_restore(
        actor_of(request), kept, target, reason=read["reason"], plan=plan, promised=read["digest"]
    )
    return redirect("job", job.pk)


@require_POST
@role_required("admin")
@tells_problems
def in_place(request: ConsoleRequest, backup_id: str, comparison_id: int) -> HttpResponseBase:
    """Restore what was compared in place."""
    kept = find_backup(backup_id)
    plan = find_plan(kept, comparison_id)
    form = InPlaceForm(request.POST, expected=kept.name if plan.summary["whole"] else "")
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        extra = {"in_place_form": form, "refused_in_place": refused}
        return _page(request, backup_id, comparison_id, extra=extra, status=422)
    read = form.cleaned_data
    job = ask_restore(
        actor_of(request),
        kept,
        Target(in_place=True),
        reason=read["reason"],
        plan=plan,
        promised=read["digest"],
    )
    return redirect("job", job.pk)


def _page(
    request: ConsoleRequest,
    backup_id: str,
    comparison_id: int,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    page, show = (request.GET.get(name, "")[:7] for name in ("page", "show"))
    seen = compare_page(
        backup_id,
        comparison_id,
        action=request.GET.get("action", "")[:20],
        page=int(page) if page.isdecimal() else 1,
        show=int(show) if show.isdecimal() else None,
    )
    context = {
        "seen": seen,
        "place_form": PlaceForm(initial={"name": seen.new_name}),
        "in_place_form": InPlaceForm(),
        "restored_dir": str(settings.RESTORED_DIR),
        **powers(request),
        **_links(seen, backup_id, comparison_id),
        **(extra or {}),
    }
    return render(request, "comparison.html", context, status=status)


def _links(seen: ComparePage, backup_id: str, comparison_id: int) -> dict[str, Any]:
    address = reverse("comparison", args=[backup_id, comparison_id])
    link = Link(address, (("action", seen.action),) if seen.action else ())
    return {
        "tabs": [
            {
                "label": word,
                "count": count,
                "url": str(link.set("action", value or None)),
                "is_current": value == seen.action,
            }
            for value, word, count in seen.tabs
        ],
        "links": {
            "show": f"{link.page(seen.page)}{'&' if link.page(seen.page).items else '?'}show=",
            "json": reverse("comparison_json", args=[backup_id, comparison_id]),
            "csv": reverse("comparison_csv", args=[backup_id, comparison_id]),
            **neighbours(link, seen.page, seen.pages),
        },
    }
