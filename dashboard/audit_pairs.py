"""What belongs together in the audit log: the intent of a change, and what became of it.

An outcome names its intent by number. One that does not is taken for the outcome of the intent
before it with the same request, action and target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from django.db.models import Q

from .audit_pages import read
from .audit_rows import STARTED, EventRow, row_of
from .models import AuditEvent

REACH = 5_000
"""Among how many events after an intent its outcome is looked for, on a page of many."""

_STEPS = (100, 1_000)


def rows_of(events: Sequence[AuditEvent]) -> list[EventRow]:
    """Finish a page of events. An intent whose outcome is on the page too is shown inside it."""
    rows = [row_of(event) for event in events]
    intents = {row.sequence: row for row in rows if row.outcome == STARTED}
    results = results_of(intents.values())
    listed = {row.sequence for row in rows}
    inside = {
        result.sequence: intents[number]
        for number, result in results.items()
        if result.sequence in listed
    }
    folded = {intent.sequence for intent in inside.values()}
    return [
        replace(row, announced=inside.get(row.sequence), result=results.get(row.sequence))
        for row in rows
        if row.sequence not in folded
    ]


def results_of(intents: Iterable[EventRow], *, reach: int = REACH) -> dict[int, EventRow]:
    """The outcome of each intent, by the intent's number. Looks near first, then further."""
    open_ones = {row.sequence: row for row in intents}
    found: dict[int, EventRow] = {}
    for step in (*_STEPS, reach):
        if open_ones:
            found |= dict(_within(open_ones, step))
            open_ones = {n: row for n, row in open_ones.items() if n not in found}
    return found


def _within(intents: dict[int, EventRow], step: int) -> Iterator[tuple[int, EventRow]]:
    near = Q()
    for first, last in _spans(sorted(intents), step):
        near |= Q(sequence__gt=first, sequence__lte=last)
    requests = {row.request_id for row in intents.values()}
    after = AuditEvent.objects.filter(near, request_id__in=requests).exclude(outcome=STARTED)
    taken: set[int] = set()
    for row in map(row_of, read(after.order_by("sequence"))):
        number = row.intent or _before(row, intents, taken)
        if number in intents and number not in taken:
            taken.add(number)
            yield number, row


def _spans(numbers: list[int], step: int) -> list[tuple[int, int]]:
    """The stretches of that length after each number, those that overlap made one."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and number <= spans[-1][1]:
            spans[-1] = (spans[-1][0], number + step)
        else:
            spans.append((number, number + step))
    return spans


def _before(row: EventRow, intents: dict[int, EventRow], taken: set[int]) -> int:
    """The latest intent of the same doing that came before this event; 0 if there is none."""
    doing = (row.request_id, row.action, row.target)
    if not row.request_id:
        return 0
    return max(
        (
            number
            for number, intent in intents.items()
            if number < row.sequence
            and number not in taken
            and (intent.request_id, intent.action, intent.target) == doing
        ),
        default=0,
    )
