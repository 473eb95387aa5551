"""The first admin: a one-time token, printed at the first start, that makes one account."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from . import sso
from .models import SetupToken
from .refusals import RefusedError
from .roles import assign_role

_TOKEN_BYTES = 32


def has_users() -> bool:
    """Tell whether anybody has an account."""
    return User.objects.exists()


def can_anyone_sign_in() -> bool:
    """Tell whether an enabled account has a password or a name that the proxy asserts."""
    active = User.objects.filter(is_active=True)
    if any(user.has_usable_password() for user in active.only("password").iterator()):
        return True
    return sso.is_on() and active.exclude(sso_names=None).exists()


def issue_setup_token(now: datetime) -> str:
    """Return a new token for the first admin; earlier ones stop working.

    The token leaves this process only through the caller: the database has its hash.
    """
    if has_users():
        raise RefusedError(
            _("This console already has an account."), _("Sign in, or ask an admin.")
        )
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    with transaction.atomic():
        SetupToken.objects.all().delete()
        SetupToken.objects.create(
            digest=_digest(token), created_at=now, expires_at=now + settings.SETUP_TOKEN_LIFETIME
        )
    return token


def is_setup_token(token: str, now: datetime) -> bool:
    """Tell whether ``token`` would be accepted now."""
    return _matching(token, now) is not None


@transaction.atomic
def make_first_admin(token: str, *, username: str, password: str, now: datetime) -> User:
    """Use up ``token`` and return the new admin; of two callers at once one is refused.

    The password must have been validated. On PostgreSQL the token's row is the lock, on
    SQLite the transaction itself is.
    """
    row = _matching(token, now, for_update=True)
    if row is None or has_users():
        raise RefusedError(
            _("This link has been used, has expired, or an account exists already."),
            _("Run “manage.py setup_link” for a new link, or sign in."),
        )
    row.used_at = now
    row.save(update_fields=["used_at"])
    user = User.objects.create_user(username=username, password=password)
    assign_role(user, "admin")
    return user


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _matching(token: str, now: datetime, *, for_update: bool = False) -> SetupToken | None:
    rows = SetupToken.objects.filter(used_at=None, expires_at__gt=now)
    if for_update:
        rows = rows.select_for_update()
    digest = _digest(token)
    # Every row is compared in constant time rather than looked up by its hash.
    found = [row for row in rows if hmac.compare_digest(row.digest, digest)]
    return found[0] if found else None
