"""Change the limits of a rule, acknowledge a check, send a test alert."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.acting import actor_of
from dashboard.forms_checks import AcknowledgeForm, LimitsForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services import check_acknowledging, threshold_changes
from dashboard.services.alert_raising import send_test
from dashboard.services.check_pages import wrong_check
from dashboard.services.threshold_words import bands, plain
from dashboard.services.thresholds import Rule

from .answers import tells_problems


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@tells_problems
def rule(request: ConsoleRequest, name: str) -> HttpResponseBase:
    """Show the form of one rule's limits, or set them."""
    one = threshold_changes.rule_of(name)
    if request.method != "POST":
        limits = threshold_changes.limits_now()[name]
        return _rule_page(request, one, LimitsForm.showing(one, limits))
    form = LimitsForm(request.POST)
    wanted = form.read(one)
    if wanted is None:
        return _rule_page(request, one, form, status=422)
    threshold_changes.change(actor_of(request), one, wanted)
    told = _("%(rule)s: bad is now %(bad)s. The next evaluation goes by it.")
    messages.success(request, told % {"rule": one.title, "bad": bands(one, wanted)[2]})
    return redirect(f"{reverse('checks')}#rule-{name}")


@require_POST
@role_required("admin")
@tells_problems
def reset(request: ConsoleRequest, name: str) -> HttpResponseBase:
    """Go back to a rule's default."""
    one = threshold_changes.rule_of(name)
    threshold_changes.reset(actor_of(request), one)
    messages.success(request, _("%s goes by its default again.") % one.title)
    return redirect(f"{reverse('checks')}#rule-{name}")


@require_POST
@role_required("admin")
@tells_problems
def test_alert(request: ConsoleRequest) -> HttpResponseBase:
    """Have a test sent to every target; the runners do it."""
    send_test(actor_of(request))
    messages.success(request, _("A test alert is on its way; whether it arrives is below."))
    return redirect(f"{reverse('checks')}#alerts")


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("operator")
@tells_problems
def acknowledge(request: ConsoleRequest, name: str) -> HttpResponseBase:
    """Show the form for a note on a check, or take it."""
    check = wrong_check(name)
    form = AcknowledgeForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        context = {"check": check, "form": form, "may_act": not settings.READ_ONLY}
        status = 422 if request.method == "POST" else 200
        return render(request, "check_acknowledge.html", context, status=status)
    check_acknowledging.acknowledge(
        actor_of(request),
        check.name,
        check.state,
        note=form.cleaned_data["note"],
        hours=form.cleaned_data["hours"],
    )
    messages.success(request, _("The note is shown with the check. Its state stays as it is."))
    return redirect("overview")


@require_POST
@role_required("operator")
@tells_problems
def withdraw(request: ConsoleRequest, number: int) -> HttpResponseBase:
    """Take a note on a check back before its time."""
    check_acknowledging.withdraw(actor_of(request), number)
    messages.success(request, _("The note is withdrawn."))
    return redirect("overview")


def _rule_page(
    request: ConsoleRequest, one: Rule, form: LimitsForm, *, status: int = 200
) -> HttpResponse:
    limits = threshold_changes.limits_now()[one.name]
    context = {
        "rule": one,
        "form": form,
        "bands": bands(one, limits),
        "default": bands(one, one.default),
        "is_default": limits == one.default,
        "fields": _fields(one, form),
        "may_set": not settings.READ_ONLY,
    }
    return render(request, "check_rule.html", context, status=status)


def _fields(one: Rule, form: LimitsForm) -> list[dict[str, object]]:
    """The fields that the rule has, with their units and bounds."""
    kinds = (
        ("watch", _("Watch from"), one.unit, one.default.watch),
        ("bad", _("Bad from"), one.unit_of_bad, one.default.bad),
    )
    return [
        {
            "name": name,
            "label": f"{label} ({unit.word})",
            "bound": form[name],
            "hint": _("From %(least)s to %(most)s.")
            % {"least": plain(unit.least), "most": plain(unit.most)},
        }
        for name, label, unit, default in kinds
        if default is not None
    ]
