"""Recent sign-in: dangerous changes ask for the password again when it was typed too long ago.

A form includes ``accounts/_confirm_password.html``, which shows the field only when it is needed;
its view calls :func:`confirmed` before it changes anything::

    refused = recent.confirmed(request)
    if refused:
        return page_with_the_form(refused, status=422)
"""

from __future__ import annotations

from datetime import timedelta

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from . import audit, throttling
from .models import SignIn

FIELD = "confirm_password"


def is_recent(request: HttpRequest) -> bool:
    """Tell whether the person has proved a short while ago who they are."""
    sign_in: SignIn | None = getattr(request, "sign_in", None)
    if sign_in is None:
        return False
    limit = timedelta(minutes=settings.RECENT_MINUTES)
    return timezone.now() - sign_in.confirmed_at <= limit


def confirmed(request: HttpRequest) -> str:
    """Return "" when the sign-in is recent or the posted password is right, else what is wrong.

    Wrong passwords count as failed sign-ins: a borrowed session must not be a way to guess
    without limit.
    """
    if is_recent(request):
        return ""
    user = request.user
    if not isinstance(user, User):
        return _("Sign in first.")
    if not user.has_usable_password():
        return _("Your sign-in is too old for this. Sign out and in again, then repeat the step.")
    password = request.POST.get(FIELD, "")
    if not password:
        return _("Type your password to confirm: you signed in a while ago.")
    credentials = {"username": user.get_username()}
    if not AxesProxyHandler.is_allowed(request, credentials):
        return _wait(request, user)
    if not user.check_password(password):
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        return _("This is not your password. Nothing was changed.")
    _note_confirmation(request)
    return ""


def _wait(request: HttpRequest, user: User) -> str:
    address = request.axes_ip_address  # type: ignore[attr-defined]
    wait_s = throttling.seconds_to_wait(user.get_username(), address, timezone.now())
    return _("Too many wrong passwords. Wait %d seconds, then try again.") % max(1, wait_s)


def _note_confirmation(request: HttpRequest) -> None:
    sign_in: SignIn | None = getattr(request, "sign_in", None)
    if sign_in is not None:
        sign_in.confirmed_at = timezone.now()
        sign_in.save(update_fields=["confirmed_at"])
    audit.record(request, action="confirm")
