"""Write the audit log and check it.

Call :func:`record` before a change with outcome "started" and again after it, or once where
the record is the change's own report (a sign-in). Nothing here reads request bodies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from .acting import Actor
from .addresses import client_address
from .logs import plain_text
from .models import AuditEvent, AuditHead
from .models.audit import GENESIS
from .roles import role_of

_LONGEST_DETAILS = 20_000
_AT_ONCE = 1000
_UNREADABLE = (AttributeError, OverflowError, TypeError, ValueError)


def record(
    request: HttpRequest | None,
    *,
    action: str,
    target: str = "",
    outcome: str = "done",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    actor: User | None = None,
    by: Actor | None = None,
    now: datetime | None = None,
) -> AuditEvent:
    """Append one event and return it.

    The person is the request's unless ``actor`` names another, or ``by`` says who and from
    where; with none of these it is the machine's own doing. Text is stored on one line with control characters escaped, and cut
    to what its column holds. Appending takes the chain's one head row under a lock, so that
    sequences have no gap at any number of writers.
    """
    who = by or _who(request, actor)
    event = AuditEvent(
        at=now or timezone.now(),
        actor=plain_text(who.name, longest=150),
        actor_id=who.user_id,
        role=who.role,
        address=who.address,
        action=plain_text(action, longest=60),
        target=_fit(target, 500),
        outcome=plain_text(outcome, longest=20),
        reason=_fit(reason, 500),
        request_id=who.request_id,
        details=_canonical(details or {}),
    )
    with transaction.atomic():
        AuditHead.objects.get_or_create(pk=1)
        head = AuditHead.objects.select_for_update().get(pk=1)
        event.sequence = head.sequence + 1
        event.previous_hash = head.hash
        event.hash = event.computed_hash()
        event.save()
        head.sequence, head.hash = event.sequence, event.hash
        head.save(update_fields=["sequence", "hash"])
    return event


def _who(request: HttpRequest | None, actor: User | None) -> Actor:
    user = actor or getattr(request, "user", None)
    person = user if getattr(user, "is_authenticated", False) else None
    return Actor(
        user_id=person.pk if person else None,
        name=person.get_username() if person else "",
        role=(role_of(person) or "") if person else "",
        address=client_address(request) if request else "",
        request_id=getattr(request, "request_id", ""),
    )


def _fit(text: str, longest: int) -> str:
    # Escaping makes text longer, so cut again.
    return plain_text(text, longest=longest)[:longest]


def _canonical(details: Mapping[str, Any]) -> str:
    cleaned = {plain_text(str(name)): _plain(value) for name, value in details.items()}
    text = json.dumps(cleaned, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if len(text) > _LONGEST_DETAILS:
        raise ValueError(f"audit details of {len(text)} characters; name the items elsewhere")
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {plain_text(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return plain_text(str(value))


def verify(*, expected: tuple[int, str] | None = None) -> Iterator[str]:
    """Yield one sentence for each break of the chain; none means unbroken.

    ``expected`` is a sequence and hash noted elsewhere earlier: only that shows a chain that
    was rewritten as a whole. Reads in one pass without blocking writers.
    """
    head = _head()
    sequence, previous, at_head = 0, GENESIS, GENESIS
    noted = expected
    for event in _events():
        number: object = event.sequence
        if not isinstance(number, int) or number < 1:
            yield f"event {number!r} was never appended"
            continue
        yield from _breaks(event, sequence, previous)
        sequence, previous = event.sequence, event.hash
        if sequence <= head.sequence:
            at_head = event.hash
        if noted is not None and event.sequence == noted[0]:
            if event.hash != noted[1]:
                yield f"event {event.sequence} is not the one that was noted: history was rewritten"
            noted = None
    yield from _breaks_at_end(head, sequence, at_head)
    if noted is not None:
        yield f"event {noted[0]}, which was noted, is missing"


def _head() -> AuditHead:
    return AuditHead.objects.filter(pk=1).first() or AuditHead()


def _events() -> Iterator[AuditEvent]:
    """All events in order. A column that cannot be read is left for whoever asks for it."""
    after: object = None
    count = _AT_ONCE
    while count == _AT_ONCE and (after is None or isinstance(after, int)):
        every = AuditEvent.objects.all()
        left = every if after is None else every.filter(pk__gt=after)
        try:
            events = list(left[:_AT_ONCE])
        except _UNREADABLE:
            events = list(left.only("previous_hash", "hash")[:_AT_ONCE])
        yield from events
        after, count = events[-1].pk if events else None, len(events)


def _breaks(event: AuditEvent, sequence: int, previous: str) -> Iterator[str]:
    if event.sequence != sequence + 1:
        yield f"events {sequence + 1} to {event.sequence - 1} are missing"
    elif event.previous_hash != previous:
        yield f"event {event.sequence} does not follow event {sequence}"
    if _is_altered(event):
        yield f"event {event.sequence} was altered"


def _is_altered(event: AuditEvent) -> bool:
    try:
        return event.computed_hash() != event.hash
    except _UNREADABLE:  # somebody wrote what no column of ours ever holds
        return True


def _breaks_at_end(head: AuditHead, sequence: int, at_head: str) -> Iterator[str]:
    if sequence < head.sequence:
        yield f"events {sequence + 1} to {head.sequence} are missing from the end"
    elif at_head != head.hash:
        yield f"the end of the chain does not match event {head.sequence}"
    # Read again: events were appended in the meantime.
    end = _head().sequence
    if sequence > end:
        yield f"events {end + 1} to {sequence} stand beyond the end of the chain"
