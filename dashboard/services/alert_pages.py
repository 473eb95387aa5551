"""Alerts as pages show them: what was told, to where, and what is still on its way."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.models import Alert, AlertDelivery, CheckState

from .alert_delivering import MOST_ATTEMPTS
from .alert_targets import targets
from .check_memory import milliseconds
from .check_titles import title_of
from .fleet import fleet
from .tree import shown

_MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One alert to one target. ``state``: ok (arrived), watch (on its way), bad (given up)."""

    target: str
    state: str
    words: str
    attempts: int
    sent_at_ms: int | None
    next_at_ms: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert. ``is_open``: its end was not told yet."""

    id: str
    kind: str
    word: str
    check: str
    title: str
    agent: str
    state: str
    sentence: str
    at_ms: int
    is_open: bool
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """A target of the settings; its place is for admins."""

    name: str
    place: str


def alert_targets() -> tuple[AlertTarget, ...]:
    """Where alerts go, without what would let others send there."""
    return tuple(AlertTarget(one.name, shown(one.place)) for one in targets())


def alert_rows() -> list[AlertRow]:
    """The newest alerts that may be seen."""
    open_ones = set(CheckState.objects.exclude(alert=None).values_list("alert_id", flat=True))
    newest = AlertDelivery.objects.order_by("id")
    rows = _visible().prefetch_related(Prefetch("deliveries", newest))[:_MOST_SHOWN]
    return [_row(row, is_open=row.pk in open_ones) for row in rows]


def _visible() -> QuerySet[Alert]:
    """Alerts of stores in scope; what is about no one store is for who sees everything."""
    if scope.current() is None:
        return Alert.objects.all()
    return Alert.objects.filter(store_id__in=[one.id for one in fleet().scan().readers])


def _row(alert: Alert, *, is_open: bool) -> AlertRow:
    words = {"bad": _("Turned bad"), "clear": _("No longer bad"), "test": _("Test")}
    return AlertRow(
        id=alert.uid,
        kind=alert.kind,
        word=words.get(alert.kind, alert.kind),
        check=alert.check_name,
        title=title_of(alert.check_name),
        agent=shown(alert.agent),
        state={"bad": "bad", "clear": "ok"}.get(alert.kind, "info"),
        sentence=shown(alert.sentence),
        at_ms=milliseconds(alert.at),
        is_open=is_open,
        deliveries=tuple(map(_delivery, alert.deliveries.all())),
    )


def _delivery(one: AlertDelivery) -> DeliveryRow:
    if one.sent_at is not None:
        state, words = "ok", _("arrived")
    elif one.gave_up:
        state, words = "bad", _("given up")
    elif one.attempts:
        state = "watch"
        words = _("try %(n)d of %(most)d failed") % {"n": one.attempts, "most": MOST_ATTEMPTS}
    else:
        state, words = "watch", _("not sent yet")
    is_waiting = one.sent_at is None and not one.gave_up
    return DeliveryRow(
        target=one.target,
        state=state,
        words=words,
        attempts=one.attempts,
        sent_at_ms=milliseconds(one.sent_at) if one.sent_at else None,
        next_at_ms=milliseconds(one.next_at) if is_waiting else None,
        problem=shown(one.problem),
    )
