"""Sign-ins: everybody's for admins, one's own for all; ending them."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from dashboard import audit, sign_ins, twins
from dashboard.models import SignIn
from dashboard.requests import ConsoleRequest
from dashboard.roles import allowed_when_read_only, role_required, sign_in_required
from dashboard.services.problems import not_there
from dashboard.views.answers import tells_problems

from .user import found

_MOST = 500
_HEADER = ["id", "person", "address", "program", "by", "began", "last_seen"]


@require_safe
@role_required("admin")
def sign_ins_list(request: HttpRequest) -> HttpResponseBase:
    """Show who is signed in where, and the sign-ins that ended last."""
    ended = SignIn.objects.exclude(ended_at=None).select_related("user")
    context = {
        "sign_ins": _open(),
        "ended": ended.order_by("-ended_at")[:50],
        "here": cast(ConsoleRequest, request).sign_in,
    }
    return render(request, "people/sign_ins.html", context)


@require_safe
@role_required("admin")
def sign_ins_json(request: HttpRequest) -> HttpResponseBase:
    """Give the open sign-ins as JSON; the handles that sessions hold are not among it."""
    rows = [dict(zip(_HEADER, _values(row), strict=True)) for row in _open()]
    return twins.json_response("sign-ins", {"sign_ins": rows})


@require_safe
@role_required("admin")
def sign_ins_csv(request: HttpRequest) -> HttpResponseBase:
    """Give the same list as CSV."""
    return twins.csv_response("sign-ins", _HEADER, map(_values, _open()))


def _open() -> list[SignIn]:
    return list(sign_ins.open_sign_ins(timezone.now()).select_related("user")[:_MOST])


def _values(sign_in: SignIn) -> list[Any]:
    return [
        sign_in.pk,
        sign_in.user.get_username(),
        sign_in.address,
        sign_in.program,
        "proxy" if sign_in.sso_name else "password",
        sign_in.created_at.isoformat(timespec="seconds"),
        sign_in.seen_at.isoformat(timespec="seconds"),
    ]


@require_POST
@sign_in_required
@allowed_when_read_only
@tells_problems
def sign_in_end(request: HttpRequest, sign_in_id: int) -> HttpResponseBase:
    """End one sign-in: one's own, or anybody's for an admin."""
    asks = cast(ConsoleRequest, request)
    sign_in = SignIn.objects.select_related("user").filter(pk=sign_in_id).first()
    if sign_in is None or (sign_in.user_id != request.user.pk and asks.role != "admin"):
        raise not_there(_("There is no sign-in with this id."), _("Look at the list again."))
    is_own = sign_in.user_id == request.user.pk
    because = _("you ended it from elsewhere.") if is_own else _("an admin ended it.")
    sign_ins.end(SignIn.objects.filter(pk=sign_in.pk), because, timezone.now())
    name = sign_in.user.get_username()
    audit.record(request, action="session.end", target=name, reason=because)
    messages.success(request, _("The sign-in of %s was ended.") % name)
    return redirect(_back(request))


@require_POST
@sign_in_required
@allowed_when_read_only
def sign_ins_end_others(request: HttpRequest) -> HttpResponseBase:
    """End every sign-in of one's own but this one."""
    here = cast(ConsoleRequest, request).sign_in
    assert here is not None
    others = SignIn.objects.filter(user_id=here.user_id).exclude(pk=here.pk)
    _end_all(request, request.user.get_username(), others, _("you ended it from elsewhere."))
    return redirect("account")


@require_POST
@role_required("admin")
@allowed_when_read_only
@tells_problems
def user_sign_ins_end(request: HttpRequest, user_id: int) -> HttpResponseBase:
    """End every sign-in of an account."""
    account = found(user_id)
    name = account.get_username()
    _end_all(request, name, SignIn.objects.filter(user=account), _("an admin ended it."))
    return redirect(_back(request))


def _end_all(request: HttpRequest, name: str, which: Any, because: str) -> None:
    ended = sign_ins.end(which, because, timezone.now())
    details = {"sign-ins ended": ended}
    audit.record(request, action="session.end", target=name, reason=because, details=details)
    told = ngettext("%(n)d sign-in of %(name)s ended.", "%(n)d sign-ins of %(name)s ended.", ended)
    messages.success(request, told % {"n": ended, "name": name})


def _back(request: HttpRequest) -> str:
    """The page that the form was on, when it is one of ours."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
    # A path: a word alone would be looked up as the name of a route.
    return target if is_ours and target.startswith("/") else "account"
