"""Backups that are taken by themselves: which there are, and adding and removing one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent, scope
from dashboard.acting import actor_of
from dashboard.forms_retention import ScheduleForm
from dashboard.jobs import life
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.backup_schedules import list_schedules
from dashboard.services.fleet import fleet
from dashboard.services.schedule_changes import add_schedule, remove_schedule

from .answers import tells_problems
from .backup_retention import NAMES
from .backups import powers

_DAYS = (
    *(lazy("Monday"), lazy("Tuesday"), lazy("Wednesday"), lazy("Thursday"), lazy("Friday")),
    *(lazy("Saturday"), lazy("Sunday")),
)
_USUAL = {"every": "daily", "at": "03:00", "keep_last": 7, "weekly": 4, "monthly": 6}


@require_safe
@role_required("viewer")
@tells_problems
def schedules(request: ConsoleRequest) -> HttpResponseBase:
    """Show every schedule, with its next time and what was missed."""
    return _page(request, ScheduleForm(initial=_USUAL))


@require_POST
@role_required("admin")
@tells_problems
def add(request: ConsoleRequest) -> HttpResponseBase:
    """Have backups taken by themselves from now on."""
    form = ScheduleForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        return _page(request, form, extra={"refused": refused}, status=422)
    add_schedule(actor_of(request), form.wish(scope.current()))
    messages.success(request, _("The schedule is kept by the job runners from now on."))
    return redirect("schedules")


@require_POST
@role_required("admin")
@tells_problems
def remove(request: ConsoleRequest, schedule_id: int) -> HttpResponseBase:
    """Stop one; the backups that it took stay."""
    remove_schedule(actor_of(request), schedule_id)
    messages.success(request, _("The schedule is removed. Its backups stay."))
    return redirect("schedules")


def _page(
    request: ConsoleRequest,
    form: ScheduleForm,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "schedules": list_schedules(),
        "form": form,
        "numbers": [(name, str(word), form[name]) for name, word in NAMES],
        "days": list(enumerate(map(str, _DAYS))),
        "agents": sorted({reader.agent for reader in fleet().scan().readers}),
        "has_runner": life.is_any_alive(),
        **powers(request),
        **(extra or {}),
    }
    return render(request, "schedules.html", context, status=status)
