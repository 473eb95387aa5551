"""Make an account."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dashboard import recent
from dashboard.forms_people import NewPersonForm
from dashboard.people import changes
from dashboard.roles import role_required
from dashboard.services.agents import known_agents
from dashboard.views.answers import tells_problems

from .asking import acting
from .invites import show_link


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("admin")
@sensitive_post_parameters()
@tells_problems
def user_new(request: HttpRequest) -> HttpResponseBase:
    """Ask for a name, a role and agents; then make the account, or the link that opens it."""
    known = known_agents()
    if request.method != "POST":
        return _page(request, NewPersonForm(known=known, initial={"role": "viewer"}))
    form = NewPersonForm(request.POST, known=known)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if refused or not form.is_valid():
        return _page(request, form, status=422, confirm_error=refused)
    password, by = form.password, acting(request)
    account = changes.make(form.cleaned_data["username"], form.access, password=password, by=by)
    if password is None:
        return show_link(request, account, by=by)
    messages.success(request, _("The account %s was made.") % account.get_username())
    return redirect("user", account.pk)


def _page(
    request: HttpRequest, form: NewPersonForm, *, status: int = 200, confirm_error: str = ""
) -> HttpResponse:
    context = {"form": form, "confirm_error": confirm_error}
    return render(request, "people/user_new.html", context, status=status)
