"""Single sign-on: the sign-in itself, and which name of the proxy is whose account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from dashboard import audit, recent, sso, throttling
from dashboard.forms_tokens import SsoNameForm
from dashboard.models import SsoName
from dashboard.people import changes
from dashboard.refusals import RefusedError
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, open_to_anyone, role_required
from dashboard.services.problems import not_there
from dashboard.views.accounts import safe_target
from dashboard.views.answers import tells_problems
from dashboard.views.errors import too_many_tries

from .asking import acting
from .user import found, user_page


@require_POST
@open_to_anyone
@allowed_when_read_only
def sso_login(request: HttpRequest) -> HttpResponseBase:
    """Sign in whom the proxy names. A form with its token, as every other way of signing in."""
    if not sso.is_on():
        raise Http404
    if throttling.address_wait_s(request):
        return too_many_tries(request, credentials={"username": throttling.NO_ACCOUNT})
    name = cast(ConsoleRequest, request).sso_name
    account = sso.user_named(name) if name else None
    if account is None:
        reason = _("the proxy names nobody") if not name else _("no account is mapped to this name")
        throttling.count_failure(request, action="login.sso", target=name, reason=reason)
        raise RefusedError(
            _("The proxy in front of this console names nobody who has an account here."),
            _("Ask an admin to map your name to your account, or sign in with a password."),
        )
    login(request, account, backend=sso.BACKEND)
    return redirect(safe_target(request))


@require_POST
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_sso_add(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Map a name of the proxy to the account."""
    if not sso.is_on():
        raise not_there(
            _("Single sign-on is off."), _("Set SESSIONSTORE_SSO_HEADER, and name the proxy.")
        )
    account, form = found(user_id), SsoNameForm(request.POST, label_suffix="")
    refused = recent.confirmed(request) if form.is_valid() else ""
    if refused or not form.is_valid():
        extra = {"sso_form": form, "confirm_error": refused, "refused": "sso"}
        return user_page(request, account, status=422, **extra)
    name = form.cleaned_data["name"]
    with transaction.atomic():
        SsoName.objects.create(name=name, user=account)
        _record(request, "user.sso-add", account.get_username(), name)
    told = _("Whom the proxy calls “%(name)s” can now sign in as %(account)s.")
    messages.success(request, told % {"name": name, "account": account.get_username()})
    return redirect("user", user_id)


@require_POST
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_sso_remove(request: HttpRequest, user_id: int, name_id: int) -> HttpResponseBase:
    """Take a name of the proxy from the account, and end the sign-ins it has made."""
    account = found(user_id)
    row = SsoName.objects.filter(pk=name_id, user=account).first()
    if row is None:
        raise not_there(_("This name is not mapped any more."), _("Look at the account again."))
    if refused := recent.confirmed(request):
        extra = {"confirm_error": refused, "refused": "sso"}
        return user_page(request, account, status=422, **extra)
    changes.remove_sso_name(row, by=acting(request))
    messages.success(request, _("“%s” signs nobody in any more.") % row.name)
    return redirect("user", user_id)


def _record(request: HttpRequest, action: str, target: str, name: str) -> None:
    audit.record(request, action=action, target=target, details={"proxy names": name})
