"""Sign-ins that did not succeed: who is being counted right now, and what the audit has of it.

Names here were typed by whoever stood at the door: hostile text, shown as such.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, Sum

from .. import audit, throttling
from ..acting import Actor
from ..models import AuditEvent
from ..services.tree import shown

_ACTIONS = (
    *("login", "login.wait", "login.sso", "token", "token.wait", "invite", "invite.wait"),
    *("setup", "setup.wait"),
    "session.end",
)
_MOST = 200
_MOST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Counted:
    """Failures of one account name in the last hour; ``wait_s`` until its next try is looked at.

    People type passwords into the wrong field: ``id`` stands for the name where it is not shown.
    """

    id: str
    name: str
    failures: int
    addresses: int
    last_at: datetime
    wait_s: int


@dataclass(frozen=True, slots=True)
class Failure:
    """One refused sign-in, as the audit has it."""

    sequence: int
    at: datetime
    action: str
    name: str
    address: str
    outcome: str
    reason: str


def counted(now: datetime) -> tuple[Counted, ...]:
    """Names that the throttle counts failures of, the latest first."""
    rows = (
        AccessAttempt.objects.filter(attempt_time__gt=now - settings.AXES_COOLOFF_TIME)
        .values("username")
        .annotate(failures=Sum("failures_since_start"), last=Max("attempt_time"))
        .order_by("-last")[:_MOST]
    )
    return tuple(_counted(row["username"], row["failures"], row["last"], now) for row in rows)


def _counted(typed: str | None, failures: int, last_at: datetime, now: datetime) -> Counted:
    addresses = AccessAttempt.objects.filter(username=typed).values("ip_address").distinct()
    return Counted(
        id=_id(typed),
        name=shown((typed or "")[:_MOST_SHOWN]),
        failures=failures,
        addresses=addresses.count(),
        last_at=last_at,
        wait_s=throttling.account_wait_s(typed, now),
    )


def latest(limit: int = _MOST) -> tuple[Failure, ...]:
    """The newest failures and refusals of the audit."""
    events = AuditEvent.objects.filter(action__in=_ACTIONS, outcome__in=["failed", "refused"])
    return tuple(
        Failure(
            sequence=event.sequence,
            at=event.at,
            action=event.action,
            name=shown(event.target[:_MOST_SHOWN]),
            address=shown(event.address),
            outcome=event.outcome,
            reason=shown(event.reason),
        )
        for event in events.order_by("-sequence")[:limit]
    )


def forget(ident: str, *, by: Actor) -> int:
    """Let an account name be tried again at once; return how many rows were forgotten."""
    typed = AccessAttempt.objects.values_list("username", flat=True).distinct()
    forgotten = 0
    for name in [name for name in typed if name is not None and _id(name) == ident]:
        forgotten += AxesProxyHandler.reset_attempts(username=name)
        audit.record(None, action="login.forget", target=name, by=by)
    return forgotten


def _id(typed: str | None) -> str:
    return hashlib.sha256((typed or "").encode("utf-8", "surrogatepass")).hexdigest()[:16]
