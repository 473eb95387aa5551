"""What may be done from a store's migration page: check, run, undo, export, mirror."""

from __future__ import annotations

from django.contrib import messages
from django.forms import BaseForm
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard import recent, twins
from dashboard.acting import actor_of
from dashboard.forms_migration import MigrateForm, ReasonForm, UndoMigrationForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.fleet import fleet
from dashboard.services.migration_asking import (
    Choice,
    PreviewMovedError,
    ask_check,
    ask_migration,
    ask_rollback,
)
from dashboard.services.migration_export import exported
from dashboard.services.migration_mirrors import MIRROR_STEPS, change_mirror
from dashboard.services.migration_plans import find_kept
from dashboard.services.migration_words import MIGRATE, ROLLBACK

from .answers import tells_problems
from .migration import page_of


@require_POST
@role_required("operator")
@tells_problems
def check(request: ConsoleRequest, store_id: str, kind: str) -> HttpResponseBase:
    """Have a job look what a migration would do, or what undoing one would move back.

    The page shows it as soon as it is done.
    """
    ask_check(actor_of(request), [fleet().reader(store_id)], kind)
    return redirect("store_migration" if kind == MIGRATE else "store_rollback", store_id)


@require_POST
@role_required("admin")
@tells_problems
def run(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Start a migration as its preview shows it."""
    reader = fleet().reader(store_id)
    kept = find_kept(reader.id, MIGRATE)
    must_choose = kept is not None and bool(kept.summary["must_choose"])
    form = MigrateForm(request.POST, must_choose=must_choose)
    if (refused := _refusal(request, form)) is not None:
        return page_of(
            request, store_id, MIGRATE, form=form, extra={"refused": refused}, status=422
        )
    read = form.cleaned_data
    choice = Choice({reader.id: read["digest"]}, read["guard"], read["understood"], read["reason"])
    try:
        ask_migration(actor_of(request), [reader], choice)
    except PreviewMovedError as error:
        return page_of(request, store_id, MIGRATE, form=form, extra={"moved": error}, status=409)
    messages.success(request, _("The migration is started. You may close this page."))
    return redirect("store_migration", store_id)


@require_POST
@role_required("admin")
@tells_problems
def undo(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Undo a migration as its preview shows it."""
    reader = fleet().reader(store_id)
    form = UndoMigrationForm(request.POST, expected=reader.name)
    if (refused := _refusal(request, form)) is not None:
        return page_of(
            request, store_id, ROLLBACK, form=form, extra={"refused": refused}, status=422
        )
    read = form.cleaned_data
    try:
        ask_rollback(actor_of(request), reader, digest=read["digest"], reason=read["reason"])
    except PreviewMovedError as error:
        return page_of(request, store_id, ROLLBACK, form=form, extra={"moved": error}, status=409)
    messages.success(request, _("The migration is being undone. You may close this page."))
    return redirect("store_migration", store_id)


@require_POST
@role_required("admin")
@tells_problems
def export(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Give a sessions.json of what is in the store now, for programs of the JSON era."""
    reader = fleet().reader(store_id)
    form = ReasonForm(request.POST)
    if (refused := _refusal(request, form)) is not None:
        extra = {"reason_form": form, "refused_export": refused, "open_export": True}
        return page_of(request, store_id, MIGRATE, extra=extra, status=422)
    content = exported(actor_of(request), reader, reason=form.cleaned_data["reason"])
    response = HttpResponse(content, content_type="application/json")
    twins.guard(response, "sessions.json", attachment=True)
    return response


@require_POST
@role_required("admin")
@tells_problems
def mirror(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Turn the mirror of a store on or off, or set a foreign file aside."""
    reader = fleet().reader(store_id)
    step = request.POST.get("step", "")
    form = ReasonForm(request.POST)
    refused = _refusal(request, form)
    if step not in MIRROR_STEPS or refused is not None:
        extra = {"mirror_form": form, "refused_mirror": refused or ""}
        return page_of(request, store_id, MIGRATE, extra=extra, status=422)
    said = change_mirror(actor_of(request), reader, step, reason=form.cleaned_data["reason"])
    messages.success(request, said)
    return redirect("store_migration", store_id)


def _refusal(request: ConsoleRequest, form: BaseForm) -> str | None:
    """Why nothing is done: what is wrong with the confirmation, "" where the form itself says.

    None when it may be done.
    """
    if not form.is_valid():
        return ""
    return recent.confirmed(request) or None
