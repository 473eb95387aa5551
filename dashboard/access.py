"""What holds once the person is known: session limits, the declared role, read-only mode."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from . import audit, roles
from .middleware import SAFE_METHODS
from .refusals import RefusedError
from .requests import ConsoleRequest, GetResponse, View

SIGNED_IN_AT = "signed_in_at"
SEEN_AT = "seen_at"
#: How stale the stored time of the last request may get; saves a write per request.
_SEEN_STEP_S = 60


class SessionLimitsMiddleware:
    """Ends a session after a time without use, and after its whole lifetime.

    Requests with the header ``X-Live`` (a page refreshing itself) are not use: a console left
    open on a desk still signs out.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        if request.user.is_authenticated:
            reason = _why_over(request, time.time())
            if reason:
                audit.record(request, action="session.end", reason=reason)
                logout(request)
                messages.info(request, _("You were signed out: %s") % reason)
            else:
                _note_use(request, time.time())
        return self.get_response(request)


def _why_over(request: ConsoleRequest, now: float) -> str:
    signed_in_at = request.session.get(SIGNED_IN_AT, 0)
    seen_at = request.session.get(SEEN_AT, 0)
    if now - signed_in_at > settings.SESSION_ABSOLUTE_S:
        return _("the session has reached its longest lifetime.")
    if now - seen_at > settings.SESSION_IDLE_S:
        return _("the session was not used for a while.")
    return ""


def _note_use(request: ConsoleRequest, now: float) -> None:
    is_live = "X-Live" in request.headers
    if not is_live and now - request.session[SEEN_AT] > _SEEN_STEP_S:
        request.session[SEEN_AT] = now


class AccessMiddleware:
    """Refuses every view whose declared role the person does not have; undeclared is refused."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        request.role = roles.role_of(request.user)
        return self.get_response(request)

    def process_view(
        self, request: ConsoleRequest, view: View, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        required = roles.declared_role(view)
        if required == roles.ANYONE:
            return None
        if not request.user.is_authenticated:
            return _to_login(request)
        if required is None:
            raise RefusedError(
                _("This page declares no role, so nobody may open it."),
                _("Tell whoever maintains this console."),
            )
        if not roles.includes(request.role, required):
            raise RefusedError(_why_refused(request.role, required), _("Ask an admin for it."))
        return None


def _why_refused(role: str | None, required: str) -> str:
    if role is None:
        return _("Your account has no role yet, and this page asks for the role %s.") % required
    return _("Your role is %(role)s, and this page asks for the role %(required)s.") % {
        "role": role,
        "required": required,
    }


def _to_login(request: ConsoleRequest) -> HttpResponseBase:
    """Send a stranger to the login page, and back to where they were if that was a page."""
    if request.htmx:
        # A part of a page cannot be replaced by a login form: move the whole page.
        address = redirect_to_login(_current_page(request), reverse("login"))["Location"]
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    target = request.get_full_path() if request.method in SAFE_METHODS else "/"
    return redirect_to_login(target, reverse("login"))


def _current_page(request: ConsoleRequest) -> str:
    shown = request.htmx.current_url or ""
    if not url_has_allowed_host_and_scheme(shown, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(shown)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


class ReadOnlyMiddleware:
    """Refuses every change while SESSIONSTORE_READ_ONLY is on; signing in and out still work."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: ConsoleRequest, view: View, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        is_change = request.method not in SAFE_METHODS
        if is_change and settings.READ_ONLY and not hasattr(view, "allowed_when_read_only"):
            raise RefusedError(
                _("This console is read-only (SESSIONSTORE_READ_ONLY), so nothing was changed."),
                _("Use a console that may change things, or have the setting turned off."),
            )
        return None
