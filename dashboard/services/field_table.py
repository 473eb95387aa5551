"""The one table of an entry's fields.

It drives the Fields tab, the edit form, help texts, the check of values that are written, and
``docs/fields.md``. A field that is not here is kept, and shown as not known.
"""

from __future__ import annotations

from dataclasses import replace

from django.utils.translation import gettext_lazy as _

from .field_data.choices import CHOICES
from .field_data.identity import IDENTITY, LINEAGE
from .field_data.policies import POLICIES
from .field_data.routing import ROUTING
from .field_data.usage import OTHER, USAGE
from .field_spec import FieldSpec, Text

GROUPS: tuple[tuple[str, Text], ...] = (
    ("identity", _("Identity and life")),
    ("lineage", _("Where it comes from")),
    ("choices", _("Choices and overrides")),
    ("routing", _("Channel and delivery")),
    ("usage", _("Tokens, model and memory")),
    ("other", _("Other")),
    ("unknown", _("Not known to this version")),
)
"""Groups of the Fields tab, in its order."""

SECTIONS: tuple[tuple[str, Text], ...] = (
    ("name", _("Name and place in lists")),
    ("answers", _("Answers")),
    ("model", _("Model override")),
    ("sending", _("Sending and groups")),
    ("commands", _("Commands")),
    ("queue", _("Queue")),
)
"""Groups of the edit form, in its order."""

_IN_GROUPS = (
    ("identity", IDENTITY),
    ("lineage", LINEAGE),
    ("choices", (*CHOICES, *POLICIES)),
    ("routing", ROUTING),
    ("usage", USAGE),
    ("other", OTHER),
)

FIELDS: dict[str, FieldSpec] = {
    spec.name: replace(spec, group=group) for group, specs in _IN_GROUPS for spec in specs
}
"""Every known field by name, in the order in which they are shown."""

UNKNOWN = FieldSpec("", "", _("Kept as it is"), group="unknown", types=("object",))
"""Stands for a field that this version does not know."""

FORM_FIELDS: tuple[FieldSpec, ...] = tuple(
    spec
    for section, _title in SECTIONS
    for spec in sorted(FIELDS.values(), key=lambda spec: spec.group != "choices")
    if spec.section == section
)
"""Fields that operators may change, in the order of the form."""

_PENDING = "pendingFinalDelivery"


def spec_of(name: str) -> FieldSpec:
    """The row of a field; :data:`UNKNOWN` for one that is not in the table."""
    if name in FIELDS:
        return FIELDS[name]
    # Eight fields that only a gateway ever writes (openclaw-format §3.4).
    return FIELDS[_PENDING] if name.startswith(_PENDING) else UNKNOWN


def followers_of(name: str) -> tuple[str, ...]:
    """Fields that are written along with this one."""
    return tuple(spec.name for spec in FIELDS.values() if spec.follows == name)
