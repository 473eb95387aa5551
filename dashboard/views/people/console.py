"""The console itself: its settings, its security checks, and sign-ins that failed."""

from __future__ import annotations

from collections import Counter
from typing import cast

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.people import failures
from dashboard.people.configuration import all_settings
from dashboard.people.security import look
from dashboard.requests import ConsoleRequest
from dashboard.roles import role_required
from dashboard.services.agents import known_agents

from .asking import acting


@require_safe
@role_required("admin")
def settings_list(request: HttpRequest) -> HttpResponseBase:
    """Show every setting, its value, and where it comes from."""
    return render(request, "people/settings.html", {"settings": all_settings()})


@require_safe
@role_required("admin")
def security(request: HttpRequest) -> HttpResponseBase:
    """Show every security check as a sentence with its state."""
    now = timezone.now()
    checks = look(cast(ConsoleRequest, request), agents=len(known_agents()), now=now)
    context = {
        "checks": checks,
        "state": checks[0].state if checks else "unknown",
        "count": dict(Counter(check.state for check in checks)),
        "wrong": [check for check in checks if check.state in ("bad", "watch")],
        "now": now,
    }
    return render(request, "people/security.html", context)


@require_safe
@role_required("admin")
def failed_sign_ins(request: HttpRequest) -> HttpResponseBase:
    """Show whose failures are counted right now, and the latest refusals."""
    context = {"counted": failures.counted(timezone.now()), "latest": failures.latest()}
    return render(request, "people/failures.html", context)


@require_POST
@role_required("admin")
def failures_forget(request: HttpRequest) -> HttpResponseBase:
    """Let an account name be tried again at once."""
    failures.forget(request.POST.get("name", ""), by=acting(request))
    messages.success(request, _("The failures of this name were forgotten."))
    return redirect("failed_sign_ins")
