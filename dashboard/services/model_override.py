"""What a change of a session's model override brings with it (openclaw-format §3.3, §3.8).

The override is a person's from then on, so that a reset keeps it; what a failover noted and the
model of the last run no longer hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sessionstore.editing import ABSENT, FieldEdit, same

from .field_table import followers_of

_MODEL = "modelOverride"
MODEL_FIELDS = frozenset({_MODEL, "providerOverride"})
BY_A_PERSON = ("modelOverrideSource", "user")


def followers(names: Iterable[str]) -> tuple[str, ...]:
    """The fields that are written along with these, as far as they are not among them."""
    named = set(names)
    if not named & MODEL_FIELDS:
        return ()
    return tuple(name for name in followers_of(_MODEL) if name not in named)


def follow_ups(edits: Sequence[FieldEdit], fresh: Mapping[str, Any]) -> tuple[FieldEdit, ...]:
    """What follows from edits of an override; nobody is asked about it."""
    yours = {edit.name: edit.yours for edit in edits}
    wanted: dict[str, Any] = dict.fromkeys(followers(yours), ABSENT)
    if BY_A_PERSON[0] in wanted and yours.get(_MODEL, fresh.get(_MODEL, ABSENT)) is not ABSENT:
        wanted |= [BY_A_PERSON]
    return tuple(
        FieldEdit(name, fresh.get(name, ABSENT), value)
        for name, value in wanted.items()
        if not same(fresh.get(name, ABSENT), value)
    )
