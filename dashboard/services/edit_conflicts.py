"""Fields that a person and a writer both changed: shown side by side, settled by a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sessionstore.editing import ABSENT, Overlap

from .comparing import Side, sides
from .edit_form import Posted
from .edit_kinds import Editor
from .edit_opened import Opened, is_masked, name_digest, was_carried
from .field_spec import Text
from .field_table import spec_of
from .json_text import JsonTextError
from .tree import shown


@dataclass(frozen=True, slots=True)
class Conflict:
    """One field as it was opened, as it is now, and as the person wants it; all masked.

    ``digest`` stands for its name in the choice that is posted. ``opened`` is None where the page
    did not carry the value.
    """

    name: str
    digest: str
    words: Text
    opened: Side | None
    now: Side
    yours: Side
    now_masked: bool


def conflicts_of(overlaps: Sequence[Overlap]) -> tuple[Conflict, ...]:
    """What to show of each field that needs a choice."""
    return tuple(_conflict(overlap) for overlap in overlaps)


def _conflict(overlap: Overlap) -> Conflict:
    name, known = overlap.name, was_carried(overlap.opened)
    shown_sides = sides(name, [*([overlap.opened] if known else []), overlap.now, overlap.yours])
    return Conflict(
        name=shown(name)[:200],
        digest=name_digest(name),
        words=spec_of(name).words,
        opened=shown_sides[0] if known else None,
        now=shown_sides[-2],
        yours=shown_sides[-1],
        now_masked=overlap.now is not ABSENT and is_masked(name, overlap.now),
    )


def from_now(opened: Opened, overlaps: Sequence[Overlap]) -> Opened:
    """What the page of conflicts shows: their fields as they are now."""
    return opened.now_seen({overlap.name: overlap.now for overlap in overlaps})


def settled(
    editor: Editor, opened: Opened, posted: Posted, fresh: Mapping[str, Any]
) -> tuple[Opened, dict[str, str]]:
    """The form after what was chosen for its conflicts; without a choice, what is there stays."""
    asked = set(posted.get("asked", "").split())
    form = dict(posted)
    for name in list(opened.seen):
        digest = name_digest(name)
        if digest not in asked or posted.get(f"c-{digest}") == "mine":
            continue
        now = fresh.get(name, ABSENT)
        try:
            opened, form = editor.keep_now(opened.now_seen({name: now}), form, name, now)
        except JsonTextError:
            break  # where the text is read, the person is told what is wrong with it
    return opened, form
