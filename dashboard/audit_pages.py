"""Find events of the audit log: newest first, by number, at the same cost at any length.

What few events have (a person, an action, a span of time) is looked up in its index. All else
is compared stretch by stretch, from where the page begins, until the page is full or its time
is over; then it says how far it looked, and the next page goes on from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from .audit_chain import UNREADABLE
from .audit_filters import LARGEST, Asked
from .models import AuditEvent

PAGE_BUDGET_S = 1.0
"""How long a page looks for events that match before it shows what it has found."""

STRETCH = 5_000
FEW = 5_000
"""How many events count as few, so that each of them is looked at.

An event whose time differs from that of its neighbours by more events than these (a clock was
set back by hours or days) may be left out by a filter on time, and by nothing else.
"""
_AT_ONCE = 500
_COLUMNS = ("actor", "action", "outcome", "target", "address", "request_id", "reason", "details")


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first. ``older`` and ``newer`` are where the pages beside it begin.

    ``looked_to`` is the number of the last event that there was time to look at; None when
    the page is complete.
    """

    events: tuple[AuditEvent, ...]
    older: int | None
    newer: int | None
    looked_to: int | None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Some events to look through, and the number at which the next ones begin."""

    where: Q
    end: int


def page_of(asked: Asked, *, budget_s: float = PAGE_BUDGET_S) -> Page:
    """Find one page. With ``above`` the page right above that event, else the one below it."""
    if asked.above is not None:
        page = _upwards(asked, budget_s)
        if page is not None:
            return page
        asked = replace(asked, above=None)
    return _downwards(asked, budget_s)


def _downwards(asked: Asked, budget_s: float) -> Page:
    found, end = _walk(asked, down=True, budget_s=budget_s)
    events = tuple(found[: asked.per])
    older = events[-1].sequence if len(found) > asked.per else end
    newer = events[0].sequence if events and asked.below is not None else None
    return Page(events, older, newer, None if len(found) > asked.per else end)


def _upwards(asked: Asked, budget_s: float) -> Page | None:
    """The page above an event; None when it would not be full, and so is the first one."""
    found, end = _walk(asked, down=False, budget_s=budget_s)
    if len(found) <= asked.per and end is None:
        return None
    events = tuple(reversed(found[: asked.per]))
    newer = events[0].sequence if len(found) > asked.per else end
    assert asked.above is not None
    older = events[-1].sequence if events else asked.above + 1
    return Page(events, older, newer, None if len(found) > asked.per else end)


def _walk(asked: Asked, *, down: bool, budget_s: float) -> tuple[list[AuditEvent], int | None]:
    """At most one event more than the page holds, and where the time was over, if it was."""
    until = time.monotonic() + budget_s
    found: list[AuditEvent] = []
    order = "-sequence" if down else "sequence"
    for stretch in stretches(asked, down=down):
        here = matching(asked).filter(stretch.where).order_by(order)
        found += read(here[: asked.per + 1 - len(found)])
        if len(found) > asked.per:
            return found, None
        if time.monotonic() > until:
            return found, stretch.end
    return found, None


def stretches(asked: Asked, *, down: bool) -> Iterator[_Stretch]:
    """Parts of the log, one after the other, in which all that matches lies."""
    low, high = _bounds(asked)
    few = _few(asked)
    if few is None:
        yield from _ranges(low, high, down=down)
        return
    numbers = sorted((n for n in few if low <= n <= high), reverse=down)
    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        yield _Stretch(Q(sequence__in=some), some[-1])


def _ranges(low: int, high: int, *, down: bool) -> Iterator[_Stretch]:
    """Spans of numbers with so many events in them each, whatever numbers are missing."""
    while low <= high:
        span = AuditEvent.objects.filter(sequence__gte=low, sequence__lte=high)
        numbers = span.order_by("-sequence" if down else "sequence").values_list("sequence")
        last = list(numbers[STRETCH - 1 : STRETCH])
        end = last[0][0] if last else (low if down else high)
        here = Q(sequence__gte=end if down else low, sequence__lte=high if down else end)
        yield _Stretch(here, end)
        if not last:
            return
        low, high = (low, end - 1) if down else (end + 1, high)


def _bounds(asked: Asked) -> tuple[int, int]:
    """The lowest and highest number that can match. Every real event's is above zero."""
    low = max(1, (asked.above or 0) + 1)
    high = LARGEST if asked.below is None else asked.below - 1
    high = high if asked.upto is None else min(high, asked.upto)
    numbers = AuditEvent.objects.values_list("sequence", flat=True)
    if asked.after_ms is not None:
        first = numbers.filter(at__gte=_moment(asked.after_ms)).order_by("at")[:FEW]
        low = max(low, min(whole(first), default=LARGEST))
    if asked.before_ms is not None:
        last = numbers.filter(at__lt=_moment(asked.before_ms)).order_by("-at")[:FEW]
        high = min(high, max(whole(last), default=0))
    return low, high


def _few(asked: Asked) -> list[int] | None:
    """The numbers of all events that have something asked for, if an index says they are few."""
    for indexed in _indexed(asked):
        numbers = AuditEvent.objects.filter(indexed).order_by().values_list("sequence", flat=True)
        found = whole(numbers[: FEW + 1])
        if len(found) <= FEW:
            return found
    return None


def _indexed(asked: Asked) -> Iterator[Q]:
    if asked.person:
        yield Q(actor=asked.person)
    if asked.action:
        yield Q(action=asked.action)
    if asked.after_ms is not None and asked.before_ms is not None:
        yield Q(at__gte=_moment(asked.after_ms), at__lt=_moment(asked.before_ms))


def whole(numbers: QuerySet[AuditEvent, Any]) -> list[int]:
    """Load numbers of events. Nothing but numbers is ever written there, by us."""
    return [number for number in numbers if isinstance(number, int)]


def matching(asked: Asked) -> QuerySet[AuditEvent]:
    """Events that match, compared one by one: on a common value an index would cost the most."""
    plain = {f"its_{name}": Coalesce(F(name), F(name)) for name in (*_COLUMNS, "at")}
    exactly = {
        "its_actor": asked.person,
        "its_action": asked.action,
        "its_outcome": asked.outcome,
        "its_address": asked.address,
        "its_request_id": asked.request_id,
    }
    where = Q(**{name: value for name, value in exactly.items() if value})
    if asked.after_ms is not None:
        where &= Q(its_at__gte=_moment(asked.after_ms))
    if asked.before_ms is not None:
        where &= Q(its_at__lt=_moment(asked.before_ms))
    if asked.target:
        where &= Q(target__icontains=asked.target)
    if asked.key:
        where &= _naming("key", asked.key)
    if asked.store:
        where &= _naming("store", asked.store) | _naming("agent", asked.store)
    if asked.text:
        where &= _containing(asked.text)
    return AuditEvent.objects.alias(**plain).filter(where)


def _naming(name: str, value: str) -> Q:
    """Events whose details have exactly that text under that name."""
    return Q(details__contains=f'"{name}":{json.dumps(value)}')


def _containing(text: str) -> Q:
    escaped = json.dumps(text)[1:-1]  # as it stands inside the details
    anywhere = Q(details__icontains=escaped)
    for name in _COLUMNS[:-1]:
        anywhere |= Q(**{f"{name}__icontains": text})
    return anywhere


def read(events: QuerySet[AuditEvent]) -> list[AuditEvent]:
    """Load events. A column that cannot be read is left for whoever asks for it."""
    try:
        return list(events)
    except UNREADABLE:
        return list(events.only("previous_hash", "hash"))


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
