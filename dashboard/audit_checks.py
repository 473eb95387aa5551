"""The check of the audit chain as the console does it: in parts, with its result in the log.

A part takes about a second. What one part hands to the next goes through the browser, signed.
The result is an audit event, so who checked what and when is itself in the chain.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.core import signing
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from . import audit
from .audit_chain import UNREADABLE, Break, Check, begin, carry_on, head_now
from .audit_pages import read
from .audit_rows import EventRow, row_of
from .models import AuditEvent

ACTION = "audit.verify"
PART_S = 1.0
_LONGEST_PAUSE_S = 600
_MOST_NAMED = 20
_SALT = "dashboard.audit_checks"


@dataclass(frozen=True, slots=True)
class ChainState:
    """What is known of the chain: ``state`` is ok, bad, or unknown where nobody checked yet.

    ``events`` are in the log now; ``checked`` were there when ``by`` checked them.
    """

    state: str
    events: int
    end: str
    checked: int = 0
    at_ms: int | None = None
    by: str = ""
    event: int | None = None
    broken: int = 0
    breaks: tuple[Break, ...] = ()

    @property
    def added(self) -> int:
        """How many events were appended after the check, its own record left out."""
        return max(0, self.events - self.checked - 1)


def chain_state() -> ChainState:
    """Read the result of the last check."""
    head = head_now()
    found = AuditEvent.objects.filter(action=ACTION, sequence__lte=head.sequence)
    last = read(found.order_by("-sequence")[:1])
    if not last:
        return ChainState("unknown", head.sequence, str(head))
    row = row_of(last[0])
    checked, broken = row.details.get("events"), row.details.get("broken")
    is_sound = not row.altered and isinstance(checked, int) and broken == 0
    return ChainState(
        state="ok" if is_sound else "bad",
        events=head.sequence,
        end=str(head),
        checked=checked if isinstance(checked, int) else 0,
        at_ms=row.at_ms,
        by=row.person,
        event=row.sequence,
        broken=broken if isinstance(broken, int) else 0,
        breaks=_breaks_in(row),
    )


def _breaks_in(row: EventRow) -> tuple[Break, ...]:
    if row.altered:
        return (Break(row.sequence, _("event %d was altered") % row.sequence),)
    try:
        return tuple(Break(int(number), str(text)) for number, text in row.details["breaks"])
    except (KeyError, *UNREADABLE):
        return ()


def next_part(state: str) -> Check:
    """Carry on the check that a form brings along, or start one."""
    return carry_on(_loaded(state) or begin(), budget_s=PART_S)


def result_of(request: HttpRequest, check: Check) -> ChainState:
    """Write the result of a finished check into the log that it is about, and tell it.

    Where the end of the chain is gone nothing can be appended any more; then it is only told.
    """
    try:
        _record(request, check)
    except IntegrityError:
        return ChainState(
            state="bad",
            events=check.head,
            end=f"{check.sequence}:{check.previous}",
            checked=check.sequence,
            at_ms=time.time_ns() // 1_000_000,
            broken=check.broken,
            breaks=check.breaks,
        )
    return chain_state()


def _record(request: HttpRequest, check: Check) -> None:
    details = {
        "events": check.sequence,
        "end": f"{check.sequence}:{check.previous}",
        "broken": check.broken,
        "breaks": _named(check.breaks),
    }
    outcome = "failed" if check.broken else "done"
    audit.record(request, action=ACTION, outcome=outcome, details=details)


def _named(breaks: Sequence[Break]) -> list[list[Any]]:
    return [[place.sequence, place.text] for place in breaks[:_MOST_NAMED]]


def dumped(check: Check) -> str:
    """An unfinished check as text that only this console can have written."""
    return signing.dumps(asdict(check), salt=_SALT, compress=True)


def _loaded(state: str) -> Check | None:
    """The check in that text; None when it is forged, too old, or none."""
    try:
        read = signing.loads(state, salt=_SALT, max_age=_LONGEST_PAUSE_S)
    except signing.BadSignature:
        return None
    breaks = tuple(Break(**place) for place in read.pop("breaks"))
    return Check(**read, breaks=breaks)
