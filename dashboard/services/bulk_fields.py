"""The fields that can be set or cleared of many sessions, and how a form writes their values.

Those of a model override are not among them: a provider without its model would break a session,
so an override is cleared as a whole, and set session by session.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from .entry_rules import error_of
from .field_spec import FieldSpec, Text
from .field_table import FORM_FIELDS, SECTIONS

_MODEL = "model"
_LONGEST_NUMBER = 20

OFFERED: dict[str, FieldSpec] = {spec.name: spec for spec in FORM_FIELDS if spec.section != _MODEL}
"""Every field that is offered, by name, in the order of the edit form."""


def sections() -> list[tuple[Text, list[FieldSpec]]]:
    """The offered fields as they are grouped on the edit form."""
    found = [
        (title, [spec for spec in OFFERED.values() if spec.section == section])
        for section, title in SECTIONS
    ]
    return [(title, specs) for title, specs in found if specs]


def value_of(name: str, text: str) -> Any:
    """The JSON value that a form's text stands for.

    Raises:
        ValueError: it is not one of this field; the text says what is expected.
    """
    spec = OFFERED[name]
    if not text and (spec.choices or spec.kind == "flag"):
        raise ValueError(_("Choose the new value."))
    if not text:
        raise ValueError(_("Write a value; to remove the field, choose to clear it."))
    value = _parsed(spec, text)
    if told := error_of(name, value):
        raise ValueError(told)
    return value


def _parsed(spec: FieldSpec, text: str) -> Any:
    for choice in spec.choices:
        if choice.text == text:
            return choice.value
    if spec.kind == "flag" and text in ("true", "false"):
        return text == "true"
    digits = text.strip().lstrip("-")
    if spec.is_whole and digits.isascii() and digits.isdecimal() and len(digits) < _LONGEST_NUMBER:
        return int(text)
    return text
