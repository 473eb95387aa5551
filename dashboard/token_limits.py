"""How many API tokens one person may have: enough for their programs, and never without bound.

Each token that counts is one more way in, and each row is kept. Tokens that are over stay in the
list for a while, so that people see what became of them; the audit keeps them for good.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils.translation import gettext as _

from .models import ApiToken
from .services.problems import Problem, ProblemError

MOST = 50
"""How many tokens of one person count at the same time."""

MOST_OVER = 100
"""How many of one person's tokens that are revoked or expired stay in the list."""


def make_room(owner: User, now: datetime) -> None:
    """Refuse one token too many, and remove the oldest of those that are over.

    To be called in the transaction that makes the token: the owner's row is its lock, so that of
    two tokens made at once one is refused.

    Raises:
        ProblemError: the owner has as many as one person may have.
    """
    User.objects.select_for_update().filter(pk=owner.pk).first()
    every = ApiToken.objects.filter(user=owner)
    over = Q(revoked_at__isnull=False) | Q(expires_at__lte=now)
    if every.exclude(over).count() >= MOST:
        raise ProblemError(
            Problem(
                _("No more API tokens"),
                _("%(name)s has %(most)d API tokens that count, which is as many as one may have.")
                % {"name": owner.get_username(), "most": MOST},
                _("Revoke one that is not used any more; the list says when each was last used."),
                409,
            )
        )
    oldest = every.filter(over).order_by("-created_at", "-pk").values_list("pk", flat=True)
    ApiToken.objects.filter(pk__in=list(oldest[MOST_OVER:])).delete()
