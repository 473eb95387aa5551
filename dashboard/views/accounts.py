"""Sign in, sign out, change one's password, and make the first admin."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as start_session
from django.contrib.auth import logout as end_session
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from .. import accounts, audit, sign_ins, throttling
from ..forms_accounts import FirstAdminForm
from ..models import SignIn
from ..people import invites
from ..refusals import RefusedError
from ..requests import ConsoleRequest
from ..roles import allowed_when_read_only, open_to_anyone, sign_in_required
from .errors import too_many_tries

_BACKEND = "django.contrib.auth.backends.ModelBackend"
_form_methods = require_http_methods(["GET", "HEAD", "POST"])


@open_to_anyone
@allowed_when_read_only
@sensitive_post_parameters()
@_form_methods
def login(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; the throttle answers 429 in this view's place."""
    target = safe_target(request)
    if request.method == "POST":
        form = AuthenticationForm(request, data=request.POST, label_suffix="")
        if form.is_valid():
            start_session(request, form.get_user())
            return redirect(target)
        return _login_page(request, form, target, status=422)
    return _login_page(request, AuthenticationForm(request, label_suffix=""), target, status=200)


def _login_page(
    request: HttpRequest, form: AuthenticationForm, target: str, *, status: int
) -> HttpResponse:
    context = {
        "form": form,
        "next": target,
        "needs_setup": not accounts.has_users(),
        "sso_name": cast(ConsoleRequest, request).sso_name,
    }
    return render(request, "accounts/login.html", context, status=status)


def safe_target(request: HttpRequest) -> str:
    """Where to go after a sign-in: where the form says, if that is a page of ours."""
    target = request.POST.get("next", request.GET.get("next", ""))
    is_ours = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # A path: a word alone would be looked up as the name of a route.
    return target if is_ours and target.startswith("/") else settings.LOGIN_REDIRECT_URL


@sign_in_required
@allowed_when_read_only
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session here and have the browser forget what it stored of these pages."""
    audit.record(request, action="logout")
    end_session(request)
    response = redirect("login")
    # Not "cookies": that would empty the jar of every program on this host name.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@open_to_anyone
@sensitive_post_parameters()
@_form_methods
def setup(request: HttpRequest) -> HttpResponse:
    """Make the first admin by the one-time token; closed for ever once an account exists."""
    if accounts.has_users():
        if request.method == "POST":
            raise RefusedError(_("This console already has an account."), _("Sign in instead."))
        return redirect("login")
    if request.method != "POST":
        form = FirstAdminForm(initial={"token": request.GET.get("token", "")}, label_suffix="")
        return render(request, "accounts/setup.html", {"form": form})
    if throttling.address_wait_s(request):
        return too_many_tries(request, credentials={"username": throttling.NO_ACCOUNT})
    form = FirstAdminForm(request.POST, label_suffix="")
    if not form.is_valid():
        if form.has_error("token"):
            reason = _("no such setup link")
            throttling.count_failure(request, action="setup", target="", reason=reason)
        return render(request, "accounts/setup.html", {"form": form}, status=422)
    return _make_first_admin(request, form)


def _make_first_admin(request: HttpRequest, form: FirstAdminForm) -> HttpResponse:
    user = accounts.make_first_admin(
        form.cleaned_data["token"],
        username=form.cleaned_data["username"],
        password=form.cleaned_data["password1"],
        now=timezone.now(),
    )
    audit.record(request, action="setup", target=user.get_username(), actor=user)
    start_session(request, user, backend=_BACKEND)
    messages.success(request, _("Your account was made. You are signed in as an admin."))
    return redirect(settings.LOGIN_REDIRECT_URL)


@sign_in_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show what the person may do, where they are signed in, and until when."""
    asks = cast(ConsoleRequest, request)
    here = asks.sign_in
    assert here is not None
    own = sign_ins.open_sign_ins(timezone.now()).filter(user_id=here.user_id)
    context = {
        "here": here,
        "agents": None if asks.agents is None else sorted(asks.agents),
        "ends_at": here.created_at + timedelta(seconds=settings.SESSION_ABSOLUTE_S),
        "idle_minutes": settings.SESSION_IDLE_S // 60,
        "sign_ins": own.select_related("user"),
    }
    return render(request, "accounts/account.html", context)


@sign_in_required
@sensitive_post_parameters()
@_form_methods
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; other sessions of the same person end.

    The old password is asked under the throttle of the login page: a borrowed session must
    not be a way to guess it without limit.
    """
    user = cast(User, request.user)
    if request.method != "POST":
        return render(
            request, "accounts/password.html", {"form": PasswordChangeForm(user, label_suffix="")}
        )
    credentials = {"username": user.get_username()}
    if not AxesProxyHandler.is_allowed(request, credentials):
        return too_many_tries(request, credentials=credentials)
    form = PasswordChangeForm(user, request.POST, label_suffix="")
    if not form.is_valid():
        if form.has_error("old_password", "password_incorrect"):
            user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        return render(request, "accounts/password.html", {"form": form}, status=422)
    form.save()
    update_session_auth_hash(request, user)
    others = SignIn.objects.filter(user=user).exclude(handle=request.session[sign_ins.HANDLE])
    sign_ins.end(others, _("your password was changed."), timezone.now())
    invites.withdraw(user)  # a link that could undo it
    audit.record(request, action="password.change", target=user.get_username())
    messages.success(request, _("Your password was changed. Other sessions of yours have ended."))
    return redirect("account")
