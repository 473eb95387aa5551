"""What holds once the person is known: session limits, the declared role, read-only mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from . import audit, roles, scope, sign_ins, tokens
from .middleware import SAFE_METHODS
from .models import SignIn
from .refusals import RefusedError
from .requests import ConsoleRequest, GetResponse, View
from .views.errors import token_refused


class SessionLimitsMiddleware:
    """Ends a sign-in that was revoked, was not used for a while, or has lasted too long.

    Requests with the header ``X-Live`` (a page refreshing itself) are not use: a console left
    open on a desk still signs out.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        request.sign_in = None
        if request.user.is_authenticated:
            self._check(request)
        return self.get_response(request)

    def _check(self, request: ConsoleRequest) -> None:
        now = timezone.now()
        sign_in = sign_ins.sign_in_of(request)
        reason = sign_ins.why_over(sign_in, sso_name=request.sso_name, now=now)
        if reason or sign_in is None:
            self._end(request, sign_in, reason)
        else:
            request.sign_in = sign_in
            if "X-Live" not in request.headers:
                sign_ins.note_use(sign_in, now)

    def _end(self, request: ConsoleRequest, sign_in: SignIn | None, reason: str) -> None:
        if sign_in is None or sign_in.ended_at is None:  # else whoever ended it has recorded it
            audit.record(request, action="session.end", reason=reason)
        if sign_in is not None:
            sign_ins.end(SignIn.objects.filter(pk=sign_in.pk), reason, timezone.now())
        logout(request)
        messages.info(request, _("You were signed out: %s") % reason)


class AccessMiddleware:
    """Refuses every view whose declared role the person does not have; undeclared is refused.

    What answers runs inside the person's agent scope, the body of a streaming answer too.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        request.via = "console"
        request.role = roles.role_of(request.user)
        request.agents = roles.agents_of(request.user, request.role)
        with scope.limited_to(request.agents):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            chunks = cast(Iterator[bytes], response.streaming_content)
            response.streaming_content = scope.limited_items(chunks, request.agents)
        return response

    def process_view(
        self, request: ConsoleRequest, view: View, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        required = roles.declared_role(view)
        if required == roles.ANYONE:
            return None
        if roles.wants_token(view):
            return _by_token(request, required)
        if not request.user.is_authenticated:
            return _to_login(request)
        if required is None:
            raise RefusedError(
                _("This page declares no role, so nobody may open it."),
                _("Tell whoever maintains this console."),
            )
        refuse_lesser(request, required)
        return None


def _by_token(request: ConsoleRequest, required: str | None) -> HttpResponseBase | None:
    """Make the owner of the request's API token the person who asks; their cookie is forgotten."""
    request.user, request.role, request.agents = AnonymousUser(), None, frozenset()
    request.sign_in = None
    scope.enter(request.agents)
    try:
        token = tokens.authenticate(request)
    except tokens.TokenError as error:
        return token_refused(request, error)
    standing = tokens.standing_of(token)
    request.user, request.role, request.agents = token.user, standing.role, standing.agents
    request.via = f"api {token.prefix}"
    scope.enter(request.agents)
    refuse_lesser(request, required or "admin")
    return None


def refuse_lesser(request: ConsoleRequest, required: str) -> None:
    """Refuse whoever has less than the required role."""
    if not roles.includes(request.role, required):
        raise RefusedError(_why_refused(request.role, required), _("Ask an admin for it."))


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
