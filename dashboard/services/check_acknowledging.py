"""Acknowledge a check that is not good: a note until a time. It turns nothing green."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Acknowledgement

from .check_judging import SEVERITY
from .check_memory import milliseconds
from .problems import not_there
from .tree import shown


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An acknowledgement as pages show it."""

    id: int
    note: str
    actor: str
    at_ms: int
    until_ms: int


def acknowledged() -> dict[str, tuple[str, Acknowledged]]:
    """Those that hold now, by check, each with the state it was for; the newest of a check."""
    found: dict[str, tuple[str, Acknowledged]] = {}
    for row in Acknowledgement.objects.filter(until__gt=timezone.now()):
        if _is_visible(row) and row.check_name not in found:
            found[row.check_name] = row.state, _shown(row)
    return found


def still_holds(state: str, acknowledged_state: str) -> bool:
    """Whether an acknowledgement of one state covers another: not of a worse one."""
    return SEVERITY["watch"] <= SEVERITY[state] <= SEVERITY[acknowledged_state]


def acknowledge(actor: Actor, check: str, state: str, *, note: str, hours: int) -> None:
    """Note that somebody knows of it.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    now = timezone.now()
    until = now + timedelta(hours=hours)
    with transaction.atomic():
        audit.record(
            None,
            by=actor,
            action="check.acknowledge",
            target=check,
            reason=note,
            details={"state": state, "until": until.isoformat(timespec="seconds")},
        )
        Acknowledgement.objects.create(
            check_name=check,
            state=state,
            note=shown(note)[:500],
            actor=actor.name,
            agents=None if actor.agents is None else sorted(actor.agents),
            at=now,
            until=until,
        )


def withdraw(actor: Actor, number: int) -> None:
    """End one before its time.

    Raises:
        ProblemError: it is not there.
        RefusedError: the role does not allow it, or the console is read-only.
    """
    queue.check_allowed(actor, "operator")
    row = Acknowledgement.objects.filter(pk=number).first()
    if row is None or not _is_visible(row):
        raise not_there(
            _("There is no such acknowledgement any more."), _("Open the overview again.")
        )
    with transaction.atomic():
        audit.record(None, by=actor, action="check.withdraw", target=row.check_name)
        row.delete()


def remove_expired_acknowledgements(now: datetime) -> int:
    """Those whose time is over; the audit keeps them."""
    return Acknowledgement.objects.filter(until__lt=now).delete()[0]


def _is_visible(row: Acknowledgement) -> bool:
    """Whether whoever asks may see all agents that it may speak of."""
    agents = scope.current()
    return agents is None or (row.agents is not None and set(row.agents) <= agents)


def _shown(row: Acknowledgement) -> Acknowledged:
    return Acknowledged(
        row.pk, shown(row.note), shown(row.actor), milliseconds(row.at), milliseconds(row.until)
    )
