"""Retention: which rule would keep which backup, and how many bytes would go."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from dashboard import recent
from dashboard.acting import actor_of
from dashboard.forms_migration import ReasonForm
from dashboard.forms_retention import PolicyForm
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.backup_asking import ask_prune
from dashboard.services.backup_list import store_choices
from dashboard.services.backup_words import policy_words
from dashboard.services.fleet import fleet
from dashboard.services.problems import Problem, ProblemError
from dashboard.services.retention_pages import RetentionPreview, preview

from .answers import tells_problems
from .backups import powers

NAMES = (
    ("keep_last", lazy("The last")),
    ("hourly", lazy("Hourly")),
    ("daily", lazy("Daily")),
    ("weekly", lazy("Weekly")),
    ("monthly", lazy("Monthly")),
    ("within_days", lazy("Everything of so many days")),
)


@require_safe
@role_required("viewer")
@tells_problems
def retention(request: ConsoleRequest) -> HttpResponseBase:
    """Preview the policy that the address names; without one only the form."""
    return _page(request, PolicyForm(request.GET), ReasonForm())


@require_POST
@role_required("admin")
@tells_problems
def apply(request: ConsoleRequest) -> HttpResponseBase:
    """Remove what the preview showed."""
    form, reason = PolicyForm(request.POST), ReasonForm(request.POST)
    refused = recent.confirmed(request) if form.is_valid() and reason.is_valid() else ""
    if not form.is_valid() or not reason.is_valid() or refused:
        return _page(request, form, reason, extra={"refused": refused}, status=422)
    seen = preview(form.policy(), form.stores)
    if seen.problem is not None:
        raise ProblemError(seen.problem)
    if seen.digest != request.POST.get("digest") or not seen.plans:
        raise ProblemError(
            Problem(
                _("The backups are not as the preview shows them"),
                _("Backups came, went or were held meanwhile. Nothing was removed."),
                _("Look at the preview as it is now, and start from there."),
                409,
            )
        )
    job = ask_prune(
        actor_of(request), seen.plans, form.policy(), reason=reason.cleaned_data["reason"]
    )
    messages.success(request, _("The backups are being pruned. You may close this page."))
    return redirect("job", job.pk)


def _page(
    request: ConsoleRequest,
    form: PolicyForm,
    reason: ReasonForm,
    *,
    extra: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    is_valid = form.is_valid()
    seen = preview(form.policy(), form.stores) if is_valid and form.is_asked else None
    asked = seen is not None and seen.problem is None
    context = {
        "form": form,
        "numbers": [(name, str(word), form[name]) for name, word in NAMES],
        "seen": seen or RetentionPreview(),
        "is_asked": form.is_asked,
        "is_empty": seen is not None and seen.problem is not None,
        "words": policy_words(form.policy()) if asked else "",
        "stores": store_choices(fleet().refreshed().readers),
        "reason_form": reason,
        "twins": {
            kind: f"{reverse(f'retention_{kind}')}?{request.GET.urlencode()}"
            for kind in ("csv", "json")
        },
        **powers(request),
        **(extra or {}),
    }
    code = 422 if context["is_empty"] and status == 200 else status
    return render(request, "retention.html", context, status=code)
