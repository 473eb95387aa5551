"""One account: what it may do, where it is signed in, and the changes of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import recent, sso
from dashboard.forms_people import AccessForm
from dashboard.forms_tokens import SsoNameForm
from dashboard.models import ApiToken
from dashboard.people import changes
from dashboard.people.listing import person_of
from dashboard.roles import role_required
from dashboard.services.agents import known_agents
from dashboard.services.problems import not_there
from dashboard.sign_ins import open_sign_ins
from dashboard.views.answers import tells_problems

from .asking import acting


@require_safe
@role_required("admin")
@tells_problems
def user(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Show one account and everything that can be changed about it."""
    return user_page(request, found(user_id))


def found(user_id: int) -> User:
    """The account of that id.

    Raises:
        ProblemError: there is none.
    """
    account = User.objects.filter(pk=user_id).first()
    if account is None:
        raise not_there(
            _("There is no account with this id, or no longer."), _("Go back to the people.")
        )
    return account


def user_page(
    request: HttpRequest, account: User, *, status: int = 200, **extra: Any
) -> HttpResponse:
    """Draw the account's page; ``extra`` replaces forms by those that were refused."""
    now, known = timezone.now(), known_agents()
    sign_ins = open_sign_ins(now).filter(user=account)
    tokens = ApiToken.objects.filter(user=account, revoked_at=None)
    valid = tokens.filter(expires_at__gt=now).count()
    initial = AccessForm.initial_of(changes.access_of(account), known)
    context: dict[str, Any] = {
        "account": account,
        "person": person_of(account, now=now, sign_ins=sign_ins.count(), tokens=valid),
        "stamp": changes.account_stamp(account),
        "sign_ins": sign_ins,
        "tokens": tokens,
        "now": now,
        "form": AccessForm(initial=initial, known=known),
        "sso_form": SsoNameForm(label_suffix=""),
        "sso_is_on": sso.is_on(),
        "sso_names": account.sso_names.all(),
    }
    return render(request, "people/user.html", context | extra, status=status)


@require_POST
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_access(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Give the account another role or other agents."""
    account, form = found(user_id), AccessForm(request.POST, known=known_agents())
    refused = recent.confirmed(request) if form.is_valid() else ""
    if refused or not form.is_valid():
        extra = {"form": form, "confirm_error": refused, "refused": "access"}
        return user_page(request, account, status=422, stamp=_stamp(request), **extra)
    ended = changes.change_access(user_id, form.access, stamp=_stamp(request), by=acting(request))
    told = ngettext(
        "What %(name)s may do was saved; %(n)d sign-in ended.",
        "What %(name)s may do was saved; %(n)d sign-ins ended.",
        ended,
    )
    messages.success(request, told % {"name": account.get_username(), "n": ended})
    return redirect("user", user_id)


@require_POST
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_active(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Disable the account, or let it sign in again."""
    account = found(user_id)
    if refused := recent.confirmed(request):
        extra = {"confirm_error": refused, "refused": "active"}
        return user_page(request, account, status=422, **extra)
    change = changes.enable if request.POST.get("active") == "yes" else changes.disable
    change(user_id, stamp=_stamp(request), by=acting(request))
    told = (
        _("%s can sign in again.")
        if change is changes.enable
        else _("%s was disabled: signed out everywhere, and tokens do not count.")
    )
    messages.success(request, told % account.get_username())
    return redirect("user", user_id)


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_delete(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Say what goes with the account, and on the second step remove it."""
    account = found(user_id)
    if request.method != "POST":
        return _delete_page(request, account)
    if refused := recent.confirmed(request):
        return _delete_page(request, account, status=422, confirm_error=refused)
    name = changes.delete(user_id, stamp=_stamp(request), by=acting(request))
    messages.success(request, _("The account %s was deleted.") % name)
    return redirect("users")


def _delete_page(
    request: HttpRequest, account: User, *, status: int = 200, confirm_error: str = ""
) -> HttpResponse:
    context = {
        "account": account,
        "stamp": changes.account_stamp(account),
        "signed_in": open_sign_ins(timezone.now()).filter(user=account).count(),
        "tokens": ApiToken.objects.filter(user=account, revoked_at=None).count(),
        "confirm_error": confirm_error,
    }
    return render(request, "people/user_delete.html", context, status=status)


def _stamp(request: HttpRequest) -> str:
    return request.POST.get("stamp", "")
