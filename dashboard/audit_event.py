"""One event of the audit log with what belongs to it, and whether it is as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .audit_chain import head_now
from .audit_filters import LARGEST
from .audit_pages import read
from .audit_pairs import results_of
from .audit_rows import STARTED, EventRow, row_of
from .models import AuditEvent
from .models.audit import GENESIS
from .services.tree import Node, tree_of

REACH = 100_000
"""Among how many events after an intent its outcome is looked for, on the intent's own page."""

_SESSION = re.compile(r"[0-9a-f]{12} ([0-9a-f]{16}|[0-9a-f]{64})")
_SHOWN_ELSEWHERE = frozenset({"fields", "more", "change", "intent", "why", "ref"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``follows`` tells whether it is chained to the event before it.

    ``session`` are store id and session id, where the event is about a session.
    """

    row: EventRow
    hash: str
    previous_hash: str
    follows: bool
    intent: EventRow | None
    result: EventRow | None
    rest: Node | None
    session: tuple[str, str] | None
    newer: int | None
    older: int | None


def find_event(sequence: int) -> Event | None:
    """Read one event; None when there is none of that number."""
    found = _one(sequence)
    if found is None:
        return None
    row = row_of(found)
    rest = {name: value for name, value in row.details.items() if name not in _SHOWN_ELSEWHERE}
    before = _one(sequence - 1)
    return Event(
        row=row,
        hash=found.hash,
        previous_hash=found.previous_hash,
        follows=found.previous_hash == (before.hash if before else GENESIS)
        and (before is not None or sequence == 1),
        intent=_row(row.intent),
        result=results_of([row], reach=REACH).get(sequence) if row.outcome == STARTED else None,
        rest=tree_of(rest) if rest else None,
        session=_session(row),
        newer=sequence + 1 if sequence < head_now().sequence else None,
        older=sequence - 1 if before is not None else None,
    )


def _one(sequence: int) -> AuditEvent | None:
    if not 0 < sequence <= LARGEST:
        return None
    return next(iter(read(AuditEvent.objects.filter(sequence=sequence))), None)


def _row(sequence: int | None) -> EventRow | None:
    found = _one(sequence) if sequence else None
    return None if found is None else row_of(found)


def _session(row: EventRow) -> tuple[str, str] | None:
    # Of a key that is masked the log could not tell the session's id.
    store, ref = str(row.details.get("store")), str(row.details.get("ref"))
    return (store, ref) if _SESSION.fullmatch(f"{store} {ref}") else None
