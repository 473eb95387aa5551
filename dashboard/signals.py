"""Keep a row of every sign-in, whatever signed in, and write it to the audit."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit, sign_ins
from .models import SignIn


def connect() -> None:
    """Connect the receivers; called once, when the application is ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="dashboard.signed_in")
    user_logged_out.connect(_signed_out, dispatch_uid="dashboard.signed_out")


def _signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    sign_in = sign_ins.begin(request, user)
    details = {"proxy names": sign_in.sso_name} if sign_in.sso_name else {}
    audit.record(request, action="login", actor=user, details=details)


def _signed_out(sender: Any, request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    handle = request.session.get(sign_ins.HANDLE, "")
    own = SignIn.objects.filter(handle=handle, user=user)
    sign_ins.end(own, _("you signed out."), timezone.now())
