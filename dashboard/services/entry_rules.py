"""Which values an entry's fields may have: checked for what changes, never for what was there."""

from __future__ import annotations

from collections.abc import Callable

from django.utils.translation import gettext as _

from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry

from .field_guide import FIELDS

_NOT_BY_FORM = frozenset({"sessionId", "sessionFile", "updatedAt"})


def editable_fields() -> frozenset[str]:
    """Names of the fields that operators may change."""
    return frozenset(name for name, guide in FIELDS.items() if guide.group == "choices")


def errors_of(
    before: Entry | None, after: Entry, *, label_taken: Callable[[str], str | None]
) -> dict[str, str]:
    """One sentence for each field that changes to a value it cannot have."""
    errors = {}
    label = after.get("label", ABSENT)
    if not same((before or {}).get("label", ABSENT), label) and label is not ABSENT:
        if not isinstance(label, str) or not 1 <= len(label) <= 512:
            errors["label"] = _("A label is a text of 1 to 512 characters.")
        elif other := label_taken(label):
            errors["label"] = _("The session %s has this label already.") % other
    return errors
