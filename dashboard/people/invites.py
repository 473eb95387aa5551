"""Invite links: one choice of a password for one account, for a day. Also how a password is reset.

The link leaves the server once, in the answer to the admin who made it; the database has its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import audit, sign_ins
from ..acting import Actor
from ..models import Invite, SignIn
from ..refusals import RefusedError


def issue(user: User, *, by: Actor, now: datetime | None = None) -> str:
    """Return the token of a new link for this account; an earlier one stops working."""
    at = now or timezone.now()
    text = secrets.token_urlsafe(32)
    with transaction.atomic():
        Invite.objects.update_or_create(
            user=user,
            defaults={
                "digest": _digest(text),
                "created_at": at,
                "expires_at": at + settings.INVITE_LIFETIME,
            },
        )
        audit.record(None, action="user.invite", target=user.get_username(), by=by)
    return text


def withdraw(user: User) -> None:
    """Have an open link of this account count no more."""
    Invite.objects.filter(user=user).delete()


def person_of(token: str, *, now: datetime | None = None) -> User | None:
    """The person whom a link lets in now; None for one that is wrong, used or too old."""
    found = _matching(token, now or timezone.now())
    return None if found is None else found.user


@transaction.atomic
def accept(token: str, password: str) -> User:
    """Use up a link, set the password, and end every sign-in that there was.

    The password must have been validated.

    Raises:
        RefusedError: the link is wrong, used or too old; of two that use it at once, one gets it.
    """
    now = timezone.now()
    found = _matching(token, now)
    if found is None or not Invite.objects.filter(pk=found.pk, digest=found.digest).delete()[0]:
        raise RefusedError(
            _("This link has been used, has expired, or was replaced by a newer one."),
            _("Ask an admin for a new link."),
        )
    user = found.user
    user.set_password(password)
    user.save(update_fields=["password"])
    sign_ins.end(SignIn.objects.filter(user=user), _("your password was changed."), now)
    return user


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _matching(token: str, now: datetime) -> Invite | None:
    digest = _digest(token)
    rows = Invite.objects.filter(digest=digest, expires_at__gt=now, user__is_active=True)
    found = rows.select_related("user").first()
    return found if found and hmac.compare_digest(found.digest, digest) else None
