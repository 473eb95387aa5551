"""A copy of one entry as it is, for admins who need what is masked: on record first."""

from __future__ import annotations

from typing import Any

from dashboard import audit
from dashboard.acting import Actor

from .edit_look import Look
from .tree import shown


def whole_entry(actor: Actor, look: Look, *, reason: str) -> dict[str, Any]:
    """The raw entry, after it was written to the audit who takes it and why."""
    assert look.entry is not None
    audit.record(
        None,
        by=actor,
        action="session.copy",
        target=f"{look.store_name}: {shown(look.key)}",
        outcome="done",
        reason=reason,
        details={
            "store": look.store_id,
            "agent": look.reader.agent,
            "key": shown(look.key),
            "ref": look.ref,
            "etag": look.tag,
            "masked": False,
        },
    )
    return look.entry
