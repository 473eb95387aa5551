"""Check the chain of audit events: as a whole, or in parts that carry on where the last stopped.

Each break is named in a sentence and ends nothing: the check goes on to the end. Reads without
blocking writers; events that are appended meanwhile are checked too and are no break.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from .models import AuditEvent, AuditHead
from .models.audit import GENESIS

#: What a column raises that holds what no column of ours ever holds.
UNREADABLE = (AttributeError, OverflowError, TypeError, ValueError)

MOST_KEPT = 50
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Break:
    """A place where the chain is not as it was written; ``sequence`` is the event to look at."""

    sequence: int
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """How far a check has come, and all it needs to carry on.

    ``head`` is the end of the chain as it was when the check began, ``after`` the last number
    read, ``sequence`` and ``previous`` those of the last event in order, ``at_head`` the hash of
    the last one up to ``head``. The first ``MOST_KEPT`` breaks are kept, all are counted.
    """

    head: int
    head_hash: str
    after: int | None = None
    sequence: int = 0
    previous: str = GENESIS
    at_head: str = GENESIS
    breaks: tuple[Break, ...] = ()
    broken: int = 0
    finished: bool = False


def begin() -> Check:
    """Start a check at the first event."""
    head = head_now()
    return Check(head=head.sequence, head_hash=head.hash)


def carry_on(check: Check, *, budget_s: float) -> Check:
    """Go on for about that long, by at least one page of events, or to the end."""
    until = time.monotonic() + budget_s
    while not check.finished:
        check, found = _advance(check)
        kept = (*check.breaks, *found)[:MOST_KEPT]
        check = replace(check, breaks=kept, broken=check.broken + len(found))
        if time.monotonic() > until:
            break
    return check


def verify(*, expected: tuple[int, str] | None = None) -> Iterator[str]:
    """Yield one sentence for each break of the chain; none means unbroken.

    ``expected`` is a sequence and hash noted elsewhere earlier: only that shows a chain that
    was rewritten as a whole.
    """
    check = begin()
    while not check.finished:
        check, found = _advance(check)
        yield from (place.text for place in found)
    if expected is not None:
        yield from _since_noted(*expected)


def head_now() -> AuditHead:
    """The end of the chain, as it is noted beside the events."""
    return AuditHead.objects.filter(pk=1).first() or AuditHead()


def is_altered(event: AuditEvent) -> bool:
    """Tell whether an event is not the one that was appended under its hash."""
    try:
        return event.computed_hash() != event.hash
    except UNREADABLE:
        return True


def _advance(check: Check) -> tuple[Check, list[Break]]:
    """Check the next page of events."""
    events = _events_after(check.after)
    found: list[Break] = []
    for event in events:
        number: object = event.sequence
        if not isinstance(number, int) or number < 1:
            text = _("event %r was never appended") % (number,)
            found.append(Break(number if isinstance(number, int) else 0, text))
            continue
        found.extend(_breaks(event, check))
        at_head = event.hash if number <= check.head else check.at_head
        check = replace(check, sequence=number, previous=event.hash, at_head=at_head)
    last: object = events[-1].sequence if events else None
    # What is no number sorts after all numbers: nothing of ours follows it.
    if len(events) == _AT_ONCE and isinstance(last, int):
        return replace(check, after=last), found
    found.extend(_breaks_at_end(check))
    return replace(check, finished=True), found


def _events_after(number: int | None) -> list[AuditEvent]:
    """The next events. A column that cannot be read is left for whoever asks for it."""
    every = AuditEvent.objects.all()
    left = every if number is None else every.filter(pk__gt=number)
    try:
        return list(left[:_AT_ONCE])
    except UNREADABLE:
        return list(left.only("previous_hash", "hash")[:_AT_ONCE])


def _breaks(event: AuditEvent, check: Check) -> Iterator[Break]:
    number, before = event.sequence, check.sequence
    if number != before + 1:
        text = _("events %(first)d to %(last)d are missing")
        yield Break(number, text % {"first": before + 1, "last": number - 1})
    elif event.previous_hash != check.previous:
        text = _("event %(event)d does not follow event %(before)d")
        yield Break(number, text % {"event": number, "before": before})
    if is_altered(event):
        yield Break(number, _("event %d was altered") % number)


def _breaks_at_end(check: Check) -> Iterator[Break]:
    last, head = check.sequence, check.head
    if last < head:
        text = _("events %(first)d to %(last)d are missing from the end")
        yield Break(last, text % {"first": last + 1, "last": head})
    elif check.at_head != check.head_hash:
        yield Break(head, _("the end of the chain does not match event %d") % head)
    end = head_now().sequence  # again: events were appended in the meantime
    if last > end:
        text = _("events %(first)d to %(last)d stand beyond the end of the chain")
        yield Break(last, text % {"first": end + 1, "last": last})


def _since_noted(sequence: int, noted: str) -> Iterator[str]:
    found = AuditEvent.objects.filter(pk=sequence).values_list("hash", flat=True).first()
    if found is None:
        yield _("event %d, which was noted, is missing") % sequence
    elif found != noted:
        yield _("event %d is not the one that was noted: history was rewritten") % sequence
