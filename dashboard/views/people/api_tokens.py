"""API tokens: one's own, and everybody's for admins; making, rotating and revoking them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from dashboard import recent, token_limits, tokens, twins
from dashboard.forms_tokens import TokenForm
from dashboard.models import ApiToken
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, role_required
from dashboard.services.agents import known_agents
from dashboard.services.problems import not_there
from dashboard.views.answers import tells_problems

from .asking import acting
from .user import found

_MOST = 500
_HEADER = [
    *("id", "prefix", "name", "owner", "role", "agents", "state", "made", "expires", "last_used"),
    "last_used_from",
]


@require_safe
@role_required("viewer")
def tokens_list(request: HttpRequest) -> HttpResponseBase:
    """Show tokens: one's own, or everybody's to an admin."""
    return _page(request)


def _page(request: HttpRequest, *, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "tokens": _shown_to(request),
        "now": timezone.now(),
        "is_admin": _is_admin(request),
        "most": token_limits.MOST,
    }
    return render(request, "people/tokens.html", context | extra, status=status)


def _is_admin(request: HttpRequest) -> bool:
    return cast(ConsoleRequest, request).role == "admin"


def _shown_to(request: HttpRequest) -> list[ApiToken]:
    every = ApiToken.objects.select_related("user")
    seen = every if _is_admin(request) else every.filter(user=cast(User, request.user))
    return list(seen.order_by("-created_at", "-pk")[:_MOST])


@require_safe
@role_required("viewer")
def tokens_json(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as JSON."""
    rows = [dict(zip(_HEADER, _values(row), strict=True)) for row in _shown_to(request)]
    return twins.json_response("tokens", {"tokens": rows})


@require_safe
@role_required("viewer")
def tokens_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as CSV."""
    return twins.csv_response("tokens", _HEADER, map(_values, _shown_to(request)))


def _values(token: ApiToken) -> list[Any]:
    last = token.last_used_at
    return [
        token.pk,
        token.prefix,
        token.name,
        token.user.get_username(),
        token.role,
        "all" if token.agents is None else " ".join(token.agents),
        tokens.state_of(token, timezone.now()),
        token.created_at.isoformat(timespec="seconds"),
        token.expires_at.isoformat(timespec="seconds"),
        None if last is None else last.isoformat(timespec="seconds"),
        token.last_used_address,
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@role_required("viewer")
@sensitive_post_parameters()
@tells_problems
def token_new(request: HttpRequest) -> HttpResponseBase:
    """Ask what a new token is for and may do; then show it, once."""
    owner, known = _owner(request), known_agents()
    if request.method != "POST":
        return _form_page(request, owner, TokenForm(owner=owner, known=known))
    form = TokenForm(request.POST, owner=owner, known=known)
    refused = recent.confirmed(request) if form.is_valid() else ""
    if refused or not form.is_valid():
        return _form_page(request, owner, form, status=422, confirm_error=refused)
    text = tokens.issue(
        owner,
        name=form.cleaned_data["name"],
        role=form.cleaned_data["role"],
        agents=form.agents_chosen,
        lifetime=form.lifetime,
        by=acting(request),
    )
    return _show_once(request, text)


def _owner(request: HttpRequest) -> User:
    """Whom the token is for: oneself, or for an admin whom the address names."""
    asked = request.GET.get("owner", "")
    if _is_admin(request) and asked.isascii() and asked.isdigit() and len(asked) < 12:
        return found(int(asked))
    return cast(User, request.user)


def _form_page(
    request: HttpRequest,
    owner: User,
    form: TokenForm,
    *,
    status: int = 200,
    confirm_error: str = "",
) -> HttpResponse:
    context = {"owner": owner, "form": form, "confirm_error": confirm_error}
    return render(request, "people/token_new.html", context, status=status)


def _show_once(request: HttpRequest, text: str) -> HttpResponse:
    """Answer with the token itself: it is kept nowhere, so no redirect could show it."""
    token = ApiToken.objects.select_related("user").get(prefix=tokens.prefix_of(text))
    return render(request, "people/token_made.html", {"token": token, "text": text})


@require_POST
@role_required("viewer")
@sensitive_post_parameters()
@tells_problems
def token_rotate(request: HttpRequest, token_id: int) -> HttpResponseBase:
    """Replace a token by a new one; the old one stops working at once."""
    token = _found(request, token_id)
    if refused := recent.confirmed(request):
        return _page(request, status=422, confirm_error=refused)
    return _show_once(request, tokens.rotate(token, by=acting(request)))


@require_POST
@role_required("viewer")
@allowed_when_read_only
@tells_problems
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponseBase:
    """Have a token count no more."""
    token = _found(request, token_id)
    tokens.revoke(token, by=acting(request))
    messages.success(request, _("The API token %s… was revoked.") % token.prefix)
    return redirect("tokens")


def _found(request: HttpRequest, token_id: int) -> ApiToken:
    token = ApiToken.objects.select_related("user").filter(pk=token_id).first()
    if token is None or (token.user_id != request.user.pk and not _is_admin(request)):
        raise not_there(_("There is no API token with this id."), _("Look at the list again."))
    return token
