"""Which values an entry's fields may have: checked for what changes, never for what was there.

The rules are the field table's JSON schemas, and what no schema of one field can say: labels are
unique in a store, a provider needs a model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry

from .field_spec import FieldSpec
from .field_table import FORM_FIELDS, UNKNOWN, followers_of, spec_of
from .masking import MASK, holds_mask
from .tree import shown

_LONGEST_QUOTE = 40


def editable_fields() -> frozenset[str]:
    """Names of the fields that operators may change."""
    return frozenset(spec.name for spec in FORM_FIELDS)


def writable_fields() -> frozenset[str]:
    """Names of the fields that a form may write: those to edit, and what follows from them."""
    followers = (followers_of(spec.name) for spec in FORM_FIELDS)
    return editable_fields().union(*followers)


def errors_of(
    before: Entry | None, after: Entry, *, label_taken: Callable[[str], str | None]
) -> dict[str, str]:
    """One sentence for each field that changes to a value it cannot have, or to a mask.

    ``label_taken`` gives the key, masked, of another session that has a label.
    """
    old = before or {}
    changed = [name for name, value in after.items() if not same(old.get(name, ABSENT), value)]
    errors = {name: said for name in changed if (said := error_of(name, after[name]))}
    for name in changed:
        if holds_mask({name: after[name]}) and not holds_mask(old.get(name)):
            errors[name] = _("It holds %s, which stands for a value that is not shown.") % MASK
    if "label" not in errors:
        errors |= label_errors(before, after, label_taken=label_taken)
    if said := _half_a_model(old, after):
        errors.setdefault("providerOverride", said)
    return errors


def label_errors(
    before: Entry | None, after: Entry, *, label_taken: Callable[[str], str | None]
) -> dict[str, str]:
    """What is wrong with a label that changes, because of another session's."""
    label = after.get("label", ABSENT)
    if label is ABSENT or same((before or {}).get("label", ABSENT), label):
        return {}
    other = label_taken(str(label))
    return {"label": _("The session %s has this label already.") % other} if other else {}


def error_of(name: str, value: Any) -> str:
    """What is wrong with a value that a field is to have; empty when nothing is."""
    spec = spec_of(name)
    if spec is UNKNOWN or _is_valid(spec, value):
        return ""
    return f"{spec.expected} {_given(spec, value)}"


def _is_valid(spec: FieldSpec, value: Any) -> bool:
    # Imported here: it takes 60 ms, and most processes of the console never check a value.
    from jsonschema import Draft202012Validator

    return not any(Draft202012Validator(spec.schema).iter_errors(value))


def _given(spec: FieldSpec, value: Any) -> str:
    if value is None:
        return _("Given was null; to have no value, leave the field out.")
    if isinstance(value, bool):
        return _("Given was %s.") % ("true" if value else "false")
    if isinstance(value, int | float):
        return _("Given was a number.") if not spec.is_whole else _number_given(value)
    if isinstance(value, str):
        return _text_given(spec, value)
    return _("Given was a list.") if isinstance(value, list) else _("Given was an object.")


def _number_given(value: int | float) -> str:
    if isinstance(value, float):
        return _("Given was a number with a fraction, or one too large to be exact.")
    return _("Given was %s.") % (f"{value:,}" if abs(value) < 10**30 else _("a larger number"))


def _text_given(spec: FieldSpec, value: str) -> str:
    if spec.choices:
        return _("Given was “%s”.") % shown(value[:2_000])[:_LONGEST_QUOTE]
    if spec.is_text and not spec.pattern:
        return _("Given was text of %d characters.") % len(value)
    return _("Given was other text.") if spec.pattern else _("Given was text.")


def _half_a_model(old: Entry, after: Entry) -> str:
    pair = ("providerOverride", "modelOverride")
    if all(same(old.get(name, ABSENT), after.get(name, ABSENT)) for name in pair):
        return ""
    if after.get("providerOverride") and not after.get("modelOverride"):
        return _("A provider alone chooses nothing: name a model too, or clear both.")
    return ""
