"""What may be done to a backup: verify, prove, hold, download, delete, restore to a new place."""

from __future__ import annotations

from django.contrib import messages
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from dashboard import recent, twins
from dashboard.acting import actor_of
from dashboard.forms_backups import DeleteForm, HoldForm, PlaceForm, VerifyForm
from dashboard.forms_migration import ReasonForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services import backup_acts
from dashboard.services.amounts import binary
from dashboard.services.backup_asking import Target, ask_drill, ask_restore, ask_verify
from dashboard.services.backup_catalogue import find_backup

from .answers import tells_problems
from .backups import page_of


@require_POST
@role_required("operator")
@tells_problems
def verify(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Have a backup verified as deep as was chosen, or restored on trial."""
    kept = find_backup(backup_id)
    form = VerifyForm(request.POST)
    if not form.is_valid():
        return page_of(request, backup_id, extra={"verify_form": form}, status=422)
    read = form.cleaned_data
    if read["depth"] == "drill":
        ask_drill(actor_of(request), [kept])
    else:
        part = (read["part"], read["parts"]) if read["depth"] == "part" else None
        ask_verify(actor_of(request), [kept], depth=read["depth"], part=part)
    messages.success(request, _("It is being checked. You may close this page."))
    return redirect("backup", backup_id)


@require_POST
@role_required("operator")
@tells_problems
def hold(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Keep a backup whatever a policy says, or stop that."""
    kept = find_backup(backup_id)
    form = HoldForm(request.POST)
    if not form.is_valid():
        return page_of(request, backup_id, status=422)
    held = form.cleaned_data["held"] == "yes"
    backup_acts.set_held(actor_of(request), kept, held=held, reason=form.cleaned_data["reason"])
    messages.success(request, _("It is held.") if held else _("It is no longer held."))
    return redirect("backup", backup_id)


@require_POST
@role_required("admin")
@tells_problems
def download(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Hand out the archive, unmasked, on record."""
    kept = find_backup(backup_id)
    form = ReasonForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        extra = {"download_form": form, "refused_download": refused}
        return page_of(request, backup_id, extra=extra, status=422)
    given = backup_acts.download(actor_of(request), kept, reason=form.cleaned_data["reason"])
    response = FileResponse(given.archive, content_type="application/octet-stream")
    response["Content-Length"] = str(given.size_bytes)
    twins.guard(response, twins.safe_name(given.name), attachment=True)
    return response


@require_POST
@role_required("admin")
@tells_problems
def delete(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Remove a backup for good."""
    kept = find_backup(backup_id)
    form = DeleteForm(request.POST, expected=backup_id)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        extra = {"delete_form": form, "refused_delete": refused}
        return page_of(request, backup_id, extra=extra, status=422)
    freed = backup_acts.delete(actor_of(request), kept, reason=form.cleaned_data["reason"])
    told = _("The backup %(id)s is gone; %(freed)s are free.")
    messages.success(request, told % {"id": backup_id, "freed": binary(freed)})
    return redirect("backups")


@require_POST
@role_required("admin")
@tells_problems
def place(request: ConsoleRequest, backup_id: str) -> HttpResponseBase:
    """Restore the whole backup to a new place."""
    kept = find_backup(backup_id)
    form = PlaceForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        extra = {"place_form": form, "refused_place": refused}
        return page_of(request, backup_id, extra=extra, status=422)
    read = form.cleaned_data
    target = Target(in_place=False, name=read["name"])
    job = ask_restore(actor_of(request), kept, target, reason=read["reason"])
    return redirect("job", job.pk)
