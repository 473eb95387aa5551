"""Evaluate every check for all stores, keep what is settled, and tell of what changed.

Done by the job runners, one at a time: pages only look. Whoever evaluates goes on doing so, so
that one process alone keeps all stores in memory; another takes over when it falls silent.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.models import CheckState, Chore

from .alert_raising import Followed, follow
from .check import Check
from .check_figures import figures_of
from .check_judging import BAD, OK, SEVERITY, UNKNOWN, Figure, Memory, judge, settle
from .check_memory import memory_of, milliseconds
from .checks import backups_of, qualities
from .fleet import LIVE_AGE_S
from .stores import StoreList, list_stores
from .threshold_changes import limits_now
from .thresholds import RULES, Limits

_log = logging.getLogger(__name__)

EVERY = timedelta(seconds=10)
TAKEN_OVER_AFTER = timedelta(seconds=30)
CHORE = "checks"
_AT_ONCE = 500
_KEPT_FIELDS = ["agent", "state", "since", "pending", "evaluated_at", "alert"]


@dataclass(frozen=True, slots=True)
class Found:
    """What one evaluation found of one check in one store, or in all.

    A figure with its limits, or, of a check by facts, the state itself.
    """

    store_id: str
    name: str
    agent: str
    sentence: str
    state: str = UNKNOWN
    figure: Figure | None = None
    limits: Limits | None = None

    def after(self, previous: Memory | None, now_ms: int) -> Memory:
        """What is settled now, after what was settled before."""
        if self.figure is None or self.limits is None:
            return settle(self.state, previous, now_ms=now_ms)
        return judge(RULES[self.name], self.limits, self.figure, previous, now_ms=now_ms)

    @property
    def place(self) -> tuple[str, str]:
        """What it is known by."""
        return self.store_id, self.name


class Evaluations:
    """One per runner. Call :meth:`do_what_is_due` every few seconds."""

    def __init__(self) -> None:
        self._begun: datetime | None = None

    def do_what_is_due(self) -> bool:
        """Evaluate, if it is time and no other runner does; whether it was done."""
        begun = _claim(self._begun)
        if begun is None:
            return False
        self._begun = begun
        stores = list_stores(max_age_s=LIVE_AGE_S)
        return keep(stores, found_in(stores), begun=begun)


def _claim(mine: datetime | None) -> datetime | None:
    """Begin an evaluation if it is due; when it began, by the database's clock."""
    row, is_first = Chore.objects.get_or_create(pk=CHORE, defaults={"begun_at": timezone.now()})
    if is_first:
        return row.begun_at
    after = EVERY if row.begun_at == mine else TAKEN_OVER_AFTER
    due = Chore.objects.filter(pk=CHORE, begun_at__lte=Now() - after)
    if not due.update(begun_at=Now()):
        return None
    return Chore.objects.get(pk=CHORE).begun_at


def found_in(stores: StoreList) -> list[Found]:
    """Every check of one look at all stores, each store by itself."""
    limits, seen = limits_now(), backups_of(stores)
    found = [
        Found(
            figure.store_id,
            figure.rule,
            figure.agent,
            figure.sentence,
            figure=figure,
            limits=limits[figure.rule],
        )
        for figure in figures_of(stores, seen)
    ]
    return [*found, *_worst_qualities(qualities(stores, seen))]


def _worst_qualities(checks: Iterable[Check]) -> Iterable[Found]:
    worst: dict[str, Found] = {}
    for check in checks:
        one = Found("", check.name, "", check.sentence, check.state)
        known = worst.get(check.name)
        if known is None or SEVERITY[one.state] > SEVERITY[known.state]:
            worst[check.name] = one
    return worst.values()


def keep(
    stores: StoreList, found: Iterable[Found], *, begun: datetime, now: datetime | None = None
) -> bool:
    """Settle what was found and raise or end alerts, in one transaction.

    False, and nothing is kept, when another runner has begun since: it will do it better.
    """
    now = now or timezone.now()
    with transaction.atomic():
        chore = Chore.objects.select_for_update().get(pk=CHORE)
        if chore.begun_at != begun:
            _log.warning("an evaluation of the checks took too long; another runner does it")
            return False
        rows = {(row.store_id, row.check_name): row for row in CheckState.objects.all()}
        seen = {one.place: one for one in found}
        seen |= {one.place: one for one in _ended(stores, rows, seen)}
        settled = [_settled(one, rows.get(place), now) for place, one in seen.items()]
        gone, others = _not_seen(stores, rows, seen)
        follow([*settled, *gone, *others], now)
        _write([one.row for one in settled])
        CheckState.objects.filter(pk__in=[one.row.pk for one in gone]).delete()
    return True


def _write(rows: list[CheckState]) -> None:
    CheckState.objects.bulk_create(
        rows,
        batch_size=_AT_ONCE,
        update_conflicts=True,
        unique_fields=["store_id", "check_name"],
        update_fields=_KEPT_FIELDS,
    )


def _settled(one: Found, row: CheckState | None, now: datetime) -> Followed:
    previous = None if row is None else memory_of(row)
    memory = one.after(previous, milliseconds(now))
    has_changed = row is None or memory.state != row.state
    fresh = CheckState(
        store_id=one.store_id,
        check_name=one.name,
        agent=one.agent[:300],
        state=memory.state,
        since=now if has_changed or row is None else row.since,
        pending=memory.pending,
        evaluated_at=now,
        alert=None if row is None else row.alert,
    )
    return Followed(fresh, one.sentence)


def _ended(
    stores: StoreList,
    rows: dict[tuple[str, str], CheckState],
    seen: Container[tuple[str, str]],
) -> Iterator[Found]:
    """Checks by facts that said something and now say nothing: their cause is gone."""
    if stores.problem is not None:
        return  # nothing could be looked at, so nothing has ended
    for (store_id, name), row in rows.items():
        if (store_id, name) not in seen and name not in RULES and row.state != OK:
            yield Found(store_id, name, row.agent, _("It is no longer so."), OK)


def _not_seen(
    stores: StoreList,
    rows: dict[tuple[str, str], CheckState],
    seen: Container[tuple[str, str]],
) -> tuple[list[Followed], list[Followed]]:
    """Figures that are not measured any more, and, where nothing could be looked at, all others.

    The store is gone or has another layout: what was told of it has ended.
    """
    left = [row for place, row in rows.items() if place not in seen]
    if stores.problem is not None:
        still_open = [row for row in left if row.alert is not None]
        for row in still_open:
            row.state = BAD
        return [], [Followed(row, "") for row in still_open]
    gone = [row for row in left if row.check_name in RULES or row.state == OK]
    for row in gone:
        row.state = OK
    sentence = _("It is not measured any more: the store has changed or is gone.")
    return [Followed(row, sentence) for row in gone], []
