"""Invite links: made and shown once by an admin, used once by the person."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from dashboard import audit, recent, throttling
from dashboard.acting import Actor
from dashboard.forms_people import InviteForm
from dashboard.people import invites
from dashboard.roles import open_to_anyone, role_required
from dashboard.views.answers import tells_problems
from dashboard.views.errors import too_many_tries

from .asking import acting
from .user import found, user_page

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_POST
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_invite(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """Make a link by which the person chooses a new password, and show it once."""
    account = found(user_id)
    if refused := recent.confirmed(request):
        extra = {"confirm_error": refused, "refused": "invite"}
        return user_page(request, account, status=422, **extra)
    return show_link(request, account, by=acting(request))


def show_link(request: HttpRequest, account: User, *, by: Actor) -> HttpResponse:
    """Make a link and answer with it: it is kept nowhere, so no redirect could show it."""
    token = invites.issue(account, by=by)
    link = request.build_absolute_uri(f"{reverse('invite')}?token={token}")
    return render(request, "people/invite_made.html", {"account": account, "link": link})


@require_http_methods(["GET", "HEAD", "POST"])
@open_to_anyone
@sensitive_post_parameters()
def invite(request: HttpRequest) -> HttpResponseBase:
    """Let the holder of a link choose the password of its account, and sign them in."""
    if request.method != "POST":
        return _page(request, request.GET.get("token", ""))
    if throttling.address_wait_s(request):
        return too_many_tries(request, credentials={"username": throttling.NO_ACCOUNT})
    token = request.POST.get("token", "")
    account = invites.person_of(token)
    if account is None:
        reason = _("no such invite link")
        throttling.count_failure(request, action="invite", target="", reason=reason)
        return _page(request, token, status=403)
    form = InviteForm(account, request.POST, label_suffix="")
    if not form.is_valid():
        return render(request, "people/invite.html", _context(form, account), status=422)
    return _accept(request, token, form.cleaned_data["new_password1"])


def _page(request: HttpRequest, token: str, *, status: int = 200) -> HttpResponse:
    account = invites.person_of(token, now=timezone.now())
    if account is None:
        return render(request, "people/invite.html", {}, status=404 if status == 200 else status)
    form = InviteForm(account, initial={"token": token}, label_suffix="")
    return render(request, "people/invite.html", _context(form, account), status=status)


def _context(form: InviteForm, account: User) -> dict[str, object]:
    return {"form": form, "account": account}


def _accept(request: HttpRequest, token: str, password: str) -> HttpResponse:
    account = invites.accept(token, password)
    audit.record(request, action="invite", target=account.get_username(), actor=account)
    login(request, account, backend=_BACKEND)
    messages.success(request, _("Your password was set. You are signed in."))
    return redirect("overview")
