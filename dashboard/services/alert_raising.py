"""When something is told: once when a check has turned bad, once more when it has ended.

Alerts are rows, written in the transaction that settles the state; sending them is another's
work. An open alert stays open while its check is grey, since nobody knows that it ended, but not
for longer than an hour.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Alert, AlertDelivery, CheckState

from .alert_targets import targets
from .check import names_of
from .check_judging import BAD, UNKNOWN
from .problems import Problem, ProblemError
from .tree import shown

GREY_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=90)


@dataclass(slots=True)
class Followed:
    """A state that was just settled, and the sentence that an alert of it would say."""

    row: CheckState
    sentence: str


def follow(settled: Sequence[Followed], now: datetime) -> None:
    """Raise and end alerts of states that were just settled; sets each row's ``alert``.

    What turned bad in several stores by one evaluation is one alert, which ends when the last of
    them is bad no longer: a hundred agents are not a hundred mails.
    """
    opening: dict[str, list[Followed]] = {}
    leaving: dict[int, list[Followed]] = {}
    for one in settled:
        row = one.row
        if row.alert is None:
            if row.state == BAD:
                opening.setdefault(row.check_name, []).append(one)
        elif row.state != BAD and not _is_grey_for_a_while(row, now):
            leaving.setdefault(row.alert.pk, []).append(one)
    for several in opening.values():
        alert = _raise(several, now)
        for one in several:
            one.row.alert = alert
    for several in leaving.values():
        _leave(several, settled, now)


def _is_grey_for_a_while(row: CheckState, now: datetime) -> bool:
    return row.state == UNKNOWN and now - row.since < GREY_FOR


def _leave(several: list[Followed], settled: Sequence[Followed], now: datetime) -> None:
    alert = several[0].row.alert
    assert alert is not None
    for one in several:
        one.row.alert = None
    if any(one.row.alert is not None and one.row.alert.pk == alert.pk for one in settled):
        return
    last = several[-1]
    sentence = last.sentence
    if last.row.state == UNKNOWN:
        sentence = _("For an hour nothing has been known of it: %s") % sentence
    _told(
        Alert(
            kind="clear",
            about=alert.uid,
            store_id=alert.store_id,
            agent=alert.agent,
            check_name=alert.check_name,
            state=last.row.state,
            sentence=shown(sentence)[:500],
            at=now,
        )
    )


def _raise(several: list[Followed], now: datetime) -> Alert:
    first, names = several[0], [shown(one.row.agent) for one in several]
    sentence = first.sentence
    if len(several) > 1:
        sentence = ngettext(
            "%(sentence)s %(n)d other agent turned bad with it.",
            "%(sentence)s %(n)d other agents turned bad with it.",
            len(several) - 1,
        ) % {"sentence": sentence, "n": len(several) - 1}
    return _told(
        Alert(
            kind="bad",
            store_id=first.row.store_id if len(several) == 1 else "",
            agent=names_of(names)[:300],
            check_name=first.row.check_name,
            state=BAD,
            sentence=shown(sentence)[:500],
            at=now,
        )
    )


def _told(alert: Alert) -> Alert:
    alert.uid = secrets.token_hex(16)
    alert.save()
    AlertDelivery.objects.bulk_create(
        AlertDelivery(alert=alert, target=target.name, next_at=alert.at) for target in targets()
    )
    return alert


def send_test(actor: Actor) -> Alert:
    """Have an alert sent that says it is a test, to every target.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: there is no target.
    """
    queue.check_allowed(actor, "admin")
    if not targets():
        raise ProblemError(
            Problem(
                _("Nobody would be told"),
                _("No target for alerts is set, so there is nowhere to send one."),
                _("Set SESSIONSTORE_ALERT_WEBHOOK or SESSIONSTORE_ALERT_MAIL and start again."),
                409,
            )
        )
    with transaction.atomic():
        names = [target.name for target in targets()]
        audit.record(None, by=actor, action="alert.test", details={"targets": names})
        sentence = _("A test, asked for by %s. Nothing is wrong.") % shown(actor.name)
        return _told(
            Alert(
                kind="test",
                check_name="test",
                state="ok",
                sentence=sentence[:500],
                at=timezone.now(),
            )
        )


def remove_old_alerts(now: datetime) -> int:
    """Alerts told long ago, with their deliveries; open ones stay."""
    open_ones = CheckState.objects.exclude(alert=None).values("alert")
    old = Alert.objects.filter(at__lt=now - KEPT_FOR).exclude(pk__in=open_ones)
    return old.delete()[0]
