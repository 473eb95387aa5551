"""Slow down guessing: failures counted by account, by address and in total, with growing waits.

Each count has a number of free failures; from then on every further failure doubles the wait
until the next try. A try during a wait is refused before the password is looked at and is not
counted, so a person who waits gets in. Unknown accounts are counted exactly as known ones.
``manage.py axes_reset`` forgets all failures.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.db.models import Max, Q, QuerySet, Sum
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from . import audit

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures are free, the first wait after them and the longest wait."""

    free: int
    first_wait_s: int
    longest_wait_s: int

    def wait_s(self, failures: int) -> int:
        """Return the wait after so many failures: 0, then doubling."""
        if failures < self.free:
            return 0
        doublings = min(failures - self.free, 20)
        return min(self.first_wait_s << doublings, self.longest_wait_s)


BY_ACCOUNT = Limit(free=5, first_wait_s=30, longest_wait_s=900)
BY_ADDRESS = Limit(free=10, first_wait_s=30, longest_wait_s=900)
# Everybody waits for this one, so it stays short: it only has to make a wide attack slow.
IN_TOTAL = Limit(free=100, first_wait_s=5, longest_wait_s=60)
#: The account of tries with tokens and links; no account can have a name with a space. These wait
#: by address only: else whoever knows the public part of a token could lock its owner out.
NO_ACCOUNT = "no account"
_LONGEST_NAME = 150


def counted_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str | None:
    """Return the account name to count by: as typed, cut to what a name may have and columns hold.

    django-axes asks (``AXES_USERNAME_CALLABLE``), with credentials or with the form alone.
    """
    typed = (credentials or request.POST).get("username")
    return None if typed is None else str(typed)[:_LONGEST_NAME]


def seconds_to_wait(username: str | None, address: str | None, now: datetime) -> int:
    """Return how long this account from this address has to wait before the next try."""
    counts = [(BY_ADDRESS, Q(ip_address=address or None))]
    if username != NO_ACCOUNT:
        counts += [(BY_ACCOUNT, Q(username=username)), (IN_TOTAL, Q())]
    return max(_left(limit, which, now) for limit, which in counts)


def address_wait_s(request: HttpRequest) -> int:
    """Return how long tries with tokens and links from the request's address have to wait."""
    AxesProxyHandler.update_request(request)
    address: str | None = request.axes_ip_address  # type: ignore[attr-defined]
    return seconds_to_wait(NO_ACCOUNT, address, timezone.now())


def account_wait_s(username: str | None, now: datetime) -> int:
    """Return how long an account has to wait, from whatever address."""
    return 0 if username == NO_ACCOUNT else _left(BY_ACCOUNT, Q(username=username), now)


def count_failure(request: HttpRequest, *, action: str, target: str, reason: str) -> None:
    """Count a try by something other than a password, and write it to the audit."""
    user_login_failed.send(
        sender=__name__,
        credentials={"username": NO_ACCOUNT},
        request=request,
        action=action,
        target=target,
        reason=reason,
    )


def _left(limit: Limit, which: Q, now: datetime) -> int:
    recent: QuerySet[AccessAttempt] = AccessAttempt.objects.filter(
        which, attempt_time__gt=now - settings.AXES_COOLOFF_TIME
    )
    seen: dict[str, Any] = recent.aggregate(
        failures=Sum("failures_since_start"), last=Max("attempt_time")
    )
    wait_s = limit.wait_s(seen["failures"] or 0)
    if not wait_s:
        return 0
    since_last: float = (now - seen["last"]).total_seconds()
    return max(0, math.ceil(wait_s - since_last))


class ThrottleHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """django-axes's bookkeeping with our rule for when a try is refused."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return the limit while a wait is running, else 0: the base class compares the two."""
        username = get_client_username(request, credentials)
        address = request.axes_ip_address  # type: ignore[attr-defined]
        now = request.axes_attempt_time  # type: ignore[attr-defined]
        return int(settings.AXES_FAILURE_LIMIT) if seconds_to_wait(username, address, now) else 0

    def user_login_failed(
        self,
        sender: Any,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Count the failure and write it to the audit; a try during a wait only to the log.

        Whoever hammers a locked account must not be able to fill the audit with it.
        """
        if request is None:
            return
        was_waiting = request.axes_locked_out  # type: ignore[attr-defined]
        with _without_forms(request):
            super().user_login_failed(sender, credentials, request, **kwargs)
        username = get_client_username(request, credentials) or ""
        if was_waiting:
            _log.warning("sign-in refused during a wait")
            return
        action = kwargs.get("action", "login")
        target = kwargs.get("target", username)
        reason = kwargs.get("reason", "")
        audit.record(request, action=action, target=target, outcome="failed", reason=reason)
        if request.axes_locked_out:  # type: ignore[attr-defined]
            audit.record(
                request,
                action=f"{action}.wait",
                target=target,
                outcome="refused",
                reason="too many failed sign-ins",
            )

    def user_logged_in(self, sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        """Forget the failures of this account only.

        Those of its address stay: else one's own account would reset the count of guesses at
        the others.
        """
        self.reset_attempts(username=user.get_username())


@contextmanager
def _without_forms(request: HttpRequest) -> Iterator[None]:
    """Hide what was typed: the base class keeps whole forms, and masks only fields it knows."""
    typed = request.GET, request.POST
    request.GET, request.POST = QueryDict(), QueryDict()
    try:
        yield
    finally:
        request.GET, request.POST = typed
