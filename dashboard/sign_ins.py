"""Sign-ins: each is a row that can be listed and ended, whatever a browser still holds.

The session has the row's random handle and the row never the session's key, so no list of
sign-ins can be used to take one over. A row counts as over from the moment its limits pass,
also when no request comes any more that would say so.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from .addresses import client_address
from .logs import plain_text
from .models import SignIn
from .services.tree import masked
from .sso import BACKEND as SSO_BACKEND

HANDLE = "sign_in"
_SEEN_STEP = timedelta(minutes=1)
"""How stale the stored time of the last request may get; saves a write per request."""


def begin(request: HttpRequest, user: User) -> SignIn:
    """Write a sign-in down and have its session name it. To be called by the signal only.

    One that the browser had until now is over.
    """
    now = timezone.now()
    before: SignIn | None = getattr(request, "sign_in", None)
    if before is not None:
        end(SignIn.objects.filter(pk=before.pk), _("you signed in anew."), now)
    by_sso = request.session.get(BACKEND_SESSION_KEY) == SSO_BACKEND
    sign_in = SignIn.objects.create(
        handle=secrets.token_hex(16),
        user=user,
        address=client_address(request),
        program=plain_text(masked(request.META.get("HTTP_USER_AGENT", "")), longest=200)[:200],
        sso_name=getattr(request, "sso_name", "") if by_sso else "",
        created_at=now,
        seen_at=now,
        confirmed_at=now,
    )
    request.session[HANDLE] = sign_in.handle
    return sign_in


def sign_in_of(request: HttpRequest) -> SignIn | None:
    """The sign-in that a request's session names, if it is one of this person. One query."""
    handle = request.session.get(HANDLE, "")
    found = SignIn.objects.filter(handle=handle).first()
    return found if found is not None and found.user_id == request.user.pk else None


def why_over(sign_in: SignIn | None, *, sso_name: str, now: datetime) -> str:
    """Say why a sign-in does not count any more; "" while it does."""
    if sign_in is None:
        return _("the console does not know this sign-in.")
    if sign_in.ended_at is not None:
        return sign_in.ended_because
    if now - sign_in.created_at > timedelta(seconds=settings.SESSION_ABSOLUTE_S):
        return _("the session has reached its longest lifetime.")
    if now - sign_in.seen_at > timedelta(seconds=settings.SESSION_IDLE_S):
        return _("the session was not used for a while.")
    if sign_in.sso_name and sign_in.sso_name != sso_name:
        return _("the proxy does not name you any more.")
    return ""


def note_use(sign_in: SignIn, now: datetime) -> None:
    """Move the time of the last request forward, at most once a minute."""
    if now - sign_in.seen_at > _SEEN_STEP:
        SignIn.objects.filter(pk=sign_in.pk).update(seen_at=now)


def open_sign_ins(now: datetime) -> QuerySet[SignIn]:
    """Sign-ins that still let somebody in, the newest first."""
    return SignIn.objects.filter(
        ended_at=None,
        created_at__gte=now - timedelta(seconds=settings.SESSION_ABSOLUTE_S),
        seen_at__gte=now - timedelta(seconds=settings.SESSION_IDLE_S),
    )


def end(which: QuerySet[SignIn], because: str, now: datetime) -> int:
    """End sign-ins and return how many it were; their next request finds them over."""
    return which.filter(ended_at=None).update(ended_at=now, ended_because=because[:60])
