"""When something is told: once when a check has turned bad, once more when it has ended.

Alerts are rows, written in the transaction that settles the state; sending them is another's
work. An open alert stays open while its check is grey, since nobody knows that it ended, but not
for longer than an hour.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit
from dashboard.acting import Actor
from dashboard.jobs import queue
from dashboard.models import Alert, AlertDelivery, CheckState
from dashboard.refusals import RefusedError

from .alert_targets import targets
from .check_judging import BAD, UNKNOWN
from .tree import shown

GREY_FOR = timedelta(hours=1)
KEPT_FOR = timedelta(days=90)


def follow(row: CheckState, sentence: str, now: datetime) -> Alert | None:
    """Raise or end the alert of a state that was just settled; the one that is open after it."""
    if row.alert is None:
        return _raise(row, "bad", sentence, now) if row.state == BAD else None
    if row.state == BAD:
        return row.alert
    if row.state == UNKNOWN:
        if now - row.since < GREY_FOR:
            return row.alert
        sentence = _("For an hour nothing has been known of it: %s") % sentence
    _raise(row, "clear", sentence, now, about=row.alert.uid)
    return None


def _raise(row: CheckState, kind: str, sentence: str, now: datetime, *, about: str = "") -> Alert:
    return _told(
        Alert(
            kind=kind,
            about=about,
            store_id=row.store_id,
            agent=shown(row.agent)[:300],
            check_name=row.check_name,
            state=row.state,
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
        RefusedError: the role does not allow it, the console is read-only, or there is no target.
    """
    queue.check_allowed(actor, "admin")
    if not targets():
        raise RefusedError(
            _("No target for alerts is set, so there is nowhere to send one."),
            _("Set SESSIONSTORE_ALERT_WEBHOOK or SESSIONSTORE_ALERT_MAIL and start again."),
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
