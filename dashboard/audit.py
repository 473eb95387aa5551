"""Write the audit log; ``audit_chain`` checks it, ``audit_pages`` reads it.

Call :func:`record` before a change with outcome "started" and again after it, or once where
the record is the change's own report (a sign-in). The second one names the first: details
``{"intent": <its sequence>}``. Nothing here reads request bodies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from .acting import Actor
from .addresses import client_address
from .audit_chain import verify
from .logs import plain_text
from .models import AuditEvent, AuditHead
from .roles import role_of
from .services.tree import masked

__all__ = ["OUTCOMES", "record", "verify"]

#: An intent is "started"; what became of it is one of the others.
OUTCOMES = ("started", "done", "failed", "refused", "cancelled")

_LONGEST_DETAILS = 100_000


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
    where; with none of these it is the machine's own doing. Text is stored masked, on one line
    with control characters escaped, and cut to what its column holds. Appending takes the
    chain's one head row under a lock, so that sequences have no gap at any number of writers.
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
    _append(event)
    return event


@transaction.atomic
def _append(event: AuditEvent) -> None:
    AuditHead.objects.get_or_create(pk=1)
    head = AuditHead.objects.select_for_update().get(pk=1)
    event.sequence = head.sequence + 1
    event.previous_hash = head.hash
    event.hash = event.computed_hash()
    event.save()
    head.sequence, head.hash = event.sequence, event.hash
    head.save(update_fields=["sequence", "hash"])


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
    return plain_text(masked(text), longest=longest)[:longest]


def _canonical(details: Mapping[str, Any]) -> str:
    cleaned = {plain_text(masked(str(name))): _plain(value) for name, value in details.items()}
    text = json.dumps(cleaned, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if len(text) > _LONGEST_DETAILS:
        raise ValueError(f"audit details of {len(text)} characters; name the items elsewhere")
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {plain_text(masked(str(name))): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return plain_text(masked(str(value)))
