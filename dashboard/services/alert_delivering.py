"""Send what is due, again and again until it has arrived: at least once, with an id that stays.

A runner takes a delivery by moving its next time into the future. One that is killed between
sending and noting it leaves it due again, so it may arrive twice, with the same id. To each target
alerts go in order, so that an end never comes before its beginning.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import F, Min
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from dashboard.models import AlertDelivery

from .alert_sending import DeliveryError, send
from .alert_targets import targets

_log = logging.getLogger(__name__)

HELD_FOR = timedelta(seconds=90)
"""For how long a runner has a delivery to itself: longer than any sending may take."""
MOST_ATTEMPTS = 20
_LONGEST_PAUSE_S = 3_600
_MOST_AT_ONCE = 50


def deliver_due() -> int:
    """Send what is due to each target; how many arrived."""
    arrived = 0
    for _turn in range(_MOST_AT_ONCE):
        sent = sum(_deliver(pk) for pk in _first_of_each() if _take(pk))
        if not sent:
            break
        arrived += sent
    return arrived


def _first_of_each() -> list[int]:
    """The oldest delivery to each target that has not arrived and is not given up."""
    open_ones = AlertDelivery.objects.filter(sent_at=None, gave_up=False)
    firsts = open_ones.order_by().values("target").annotate(first=Min("pk"))
    return [row["first"] for row in firsts]


def _take(pk: int) -> bool:
    due = AlertDelivery.objects.filter(pk=pk, sent_at=None, gave_up=False, next_at__lte=Now())
    return bool(due.update(next_at=Now() + HELD_FOR, attempts=F("attempts") + 1))


def _deliver(pk: int) -> bool:
    delivery = AlertDelivery.objects.select_related("alert").get(pk=pk)
    target = next((one for one in targets() if one.name == delivery.target), None)
    mine = AlertDelivery.objects.filter(pk=pk)
    if target is None:
        mine.update(gave_up=True, problem=_("This target is no longer in the settings."))
        return False
    try:
        send(target, delivery.alert)
    except DeliveryError as error:
        _log.warning("alert %d did not reach %s: %s", delivery.alert_id, target.name, error)
        mine.update(
            problem=str(error)[:300],
            gave_up=delivery.attempts >= MOST_ATTEMPTS,
            next_at=Now() + pause_after(delivery.attempts),
        )
        return False
    mine.update(sent_at=Now(), problem="")
    return True


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many tries: ten seconds, doubled each time, an hour at most."""
    return timedelta(seconds=min(_LONGEST_PAUSE_S, 10 * 2 ** min(attempts - 1, 12)))
