"""Events of the audit log finished for showing: masked, explained, each intent with its outcome.

What a column holds that no column of ours ever holds is shown as such and breaks no page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from .audit_chain import UNREADABLE, is_altered
from .models import AuditEvent
from .services.tree import masked, visible

STARTED = "started"
_STATES = {
    "done": "ok",
    "failed": "bad",
    "refused": "watch",
    "cancelled": "info",
    STARTED: "unknown",
}
_WORDS = {
    "done": _("done"),
    "failed": _("failed"),
    "refused": _("refused"),
    "cancelled": _("cancelled"),
    STARTED: _("started"),
}
_MOST_FIELDS = 100
_IN_A_ROW = 3
_TOLD = ("actor", "role", "address", "action", "target", "outcome", "reason", "request_id")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, masked; empty where the field was not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. Texts are masked; ``at_ms`` is None where the column holds no time.

    ``intent`` is the number of the event that announced this one. ``result`` is what became of
    this one, where it announced something.
    """

    sequence: int
    at_ms: int | None = None
    person: str = ""
    role: str = ""
    address: str = ""
    action: str = ""
    target: str = ""
    outcome: str = ""
    reason: str = ""
    request_id: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[FieldChange, ...] = ()
    more_fields: int = 0
    why: str = ""
    change_id: int | None = None
    intent: int | None = None
    result: EventRow | None = None
    announced: EventRow | None = None
    altered: bool = False
    readable: bool = True

    @property
    def state(self) -> str:
        """The state to draw beside the outcome."""
        return _STATES.get(self.outcome, "unknown")

    @property
    def first_fields(self) -> tuple[FieldChange, ...]:
        """The fields that a row of the list has room for."""
        return self.fields[:_IN_A_ROW]

    @property
    def unshown(self) -> int:
        """How many changed fields the row has no room for."""
        return max(0, len(self.fields) - _IN_A_ROW) + self.more_fields

    @property
    def outcome_word(self) -> str:
        """The outcome as a person reads it."""
        return str(_WORDS.get(self.outcome, self.outcome))


def row_of(event: AuditEvent) -> EventRow:
    """Finish one event."""
    try:
        return _row(event)
    except UNREADABLE:
        return EventRow(event.sequence, altered=True, readable=False)


def _row(event: AuditEvent) -> EventRow:
    told = {name: str(getattr(event, name)) for name in _TOLD}
    details = json.loads(event.details)
    if not isinstance(details, dict):
        raise TypeError("details are one object")
    # It was masked when it was written. Looking at everything at once costs a tenth of looking
    # at each text, and nearly always finds nothing.
    whole = "\n".join((*told.values(), event.details))
    if masked(whole) != whole:
        told = {name: masked(text) for name, text in told.items()}
        details = _masked(details)
    texts: dict[str, Any] = {name: visible(text) for name, text in told.items()}
    return EventRow(
        sequence=event.sequence,
        at_ms=int(event.at.timestamp() * 1000),
        person=texts.pop("actor"),
        altered=is_altered(event),
        **texts,
        **_of_details(details),
    )


def _masked(value: Any) -> Any:
    """Every text in it masked by its form: by its name it was masked when it was written."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(name): _masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _of_details(details: dict[str, Any]) -> dict[str, Any]:
    fields = details.get("fields")
    return {
        "details": details,
        "fields": _changes(fields) if isinstance(fields, dict) else (),
        "more_fields": _number(details.get("more")) or 0,
        "why": visible(str(details.get("why") or "")),
        "change_id": _number(details.get("change")),
        "intent": _number(details.get("intent")),
    }


def _changes(fields: dict[str, Any]) -> tuple[FieldChange, ...]:
    pairs = (
        (name, pair)
        for name, pair in fields.items()
        if isinstance(pair, list) and len(pair) == 2  # as changes write it; else it is in details
    )
    return tuple(
        FieldChange(visible(name), _value(before), _value(after))
        for name, (before, after) in list(pairs)[:_MOST_FIELDS]
    )


def _value(value: Any) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _number(value: object) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < 2**63 else None  # type: ignore[operator, return-value]
