"""What may be done about findings: make a plan, leave items out, apply it, take its run back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.forms_tidy import ApplyForm, ExcludeForm, PolicyForm, TakeBackForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.fleet import fleet
from dashboard.services.only_read import refuse_only_read
from dashboard.services.problems import Problem, ProblemError
from dashboard.services.tidy_asking import (
    ask_apply,
    ask_plan,
    ask_take_back,
    leave_out,
)
from dashboard.services.tidy_items import WantedItems
from dashboard.services.tidy_plan_pages import plan_page
from dashboard.services.tidy_policy import (
    REBUILDABLE,
    SESSION_KINDS,
    GatewaySeen,
    defaults,
    gateway_policy,
)

from .answers import tells_problems
from .tidy import powers
from .tidy_plans import page_of

_GROUPS = (
    ("sessions", ("prune_after_s", "max_entries", "cron_retention_s", "cron_runs_kept")),
    (
        "files",
        (
            *("orphan_retention_s", "archive_retention_s", "reset_retention_s"),
            *("leftover_retention_s", "store_copies_kept"),
        ),
    ),
    ("budget", ("max_disk_bytes", "high_water_bytes")),
)


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def policy(request: ConsoleRequest, store_id: str) -> HttpResponseBase:
    """Choose what may be tidied away; sent, it has a job make a plan, which changes nothing."""
    reader = fleet().reader(store_id)
    refuse_only_read(reader)
    gateway = gateway_policy(reader)
    if request.method != "POST":
        use = request.GET.get("use") == "gateway"
        return _policy_page(request, store_id, PolicyForm(initial=_initial(gateway, use=use)))
    form = PolicyForm(request.POST, initial={})
    if not form.is_valid():
        return _policy_page(request, store_id, form, status=422)
    if gateway.problem is not None:
        return _policy_page(request, store_id, form, status=409)
    made = ask_plan(actor_of(request), reader, form.policy())
    return redirect("tidy_plan", made.pk)


def _initial(gateway: GatewaySeen, *, use: bool) -> dict[str, Any]:
    return {one.name: one.text for one in gateway.values} if use else {}


def _policy_page(
    request: ConsoleRequest, store_id: str, form: PolicyForm, *, status: int = 200
) -> HttpResponse:
    reader = fleet().reader(store_id)
    gateway = gateway_policy(reader)
    sources = {one.name: (one.text, one.source) for one in gateway.values}
    titles = {
        "sessions": _("Sessions"),
        "files": _("Files beside the store"),
        "budget": _("Disk budget"),
    }
    context = {
        "store": reader,
        "form": form,
        "gateway": gateway,
        "groups": [
            (titles[name], [(field, form[field], sources.get(field)) for field in names])
            for name, names in _GROUPS
        ],
        "fields": REBUILDABLE,
        "kinds": SESSION_KINDS,
        "defaults": defaults(),
        "used": request.GET.get("use") == "gateway",
        "use_url": f"{reverse('tidy_policy', args=[store_id])}?use=gateway",
        **powers(request),
    }
    return render(request, "tidy_policy.html", context, status=status)


@require_POST
@role_required("operator")
@tells_problems
def exclude(request: ConsoleRequest, tidy_id: str) -> HttpResponseBase:
    """Leave items out of a plan, or put them back."""
    form = ExcludeForm(request.POST)
    if not form.is_valid():
        raise ProblemError(
            Problem(
                _("Nothing was chosen"),
                _("What was sent is not what the form sends."),
                _("Go back to the plan and try again."),
                422,
            )
        )
    is_out = form.cleaned_data["do"] == "leave-out"
    count = leave_out(actor_of(request), tidy_id, form.numbers, form.wanted(), excluded=is_out)
    if not count:
        messages.info(request, _("Nothing changed: no such item was ticked."))
    elif is_out:
        said = ngettext("%(n)s item is left out.", "%(n)s items are left out.", count)
        messages.success(request, said % {"n": f"{count:,}"})
    else:
        said = ngettext("%(n)s item is back.", "%(n)s items are back.", count)
        messages.success(request, said % {"n": f"{count:,}"})
    return redirect(_back(tidy_id, form))


def _back(tidy_id: str, form: ExcludeForm) -> str:
    path, query = reverse("tidy_plan", args=[tidy_id]), form.cleaned_data["list"]
    return f"{path}?{query}" if query else path


@require_POST
@role_required("operator")
@tells_problems
def apply(request: ConsoleRequest, tidy_id: str) -> HttpResponseBase:
    """Have a plan applied by a job, as its page shows it."""
    seen = plan_page(tidy_id, WantedItems())
    form = ApplyForm(request.POST, deleting=seen.deleting)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        return page_of(request, tidy_id, form=form, refused=refused, status=422)
    read = form.cleaned_data
    ask_apply(actor_of(request), tidy_id, digest=read["digest"], reason=read["reason"])
    messages.success(request, _("The plan is being applied. You may close this page."))
    return redirect("tidy_plan", tidy_id)


@require_POST
@role_required("operator")
@tells_problems
def take_back(request: ConsoleRequest, tidy_id: str) -> HttpResponseBase:
    """Have a run taken back by a job: all of it, or the items that are ticked."""
    form = TakeBackForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if not form.is_valid() or refused:
        return page_of(request, tidy_id, back_form=form, refused=refused, status=422)
    ask_take_back(actor_of(request), tidy_id, form.numbers, reason=form.cleaned_data["reason"])
    messages.success(request, _("It is being taken back. You may close this page."))
    return redirect("tidy_plan", tidy_id)
