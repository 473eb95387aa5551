"""An entry as JSON text that an admin edits, without what must not or need not be in a page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry

from .edit_form import Typed, Wanted
from .edit_look import Look
from .edit_opened import (
    LARGEST_CARRIED,
    Opened,
    Seen,
    is_masked,
    json_text,
    name_digest,
    opened_now,
    seen_of,
)
from .field_spec import LARGEST
from .json_text import HALF, JsonTextError, place_of, read_object
from .tree import shown

LARGEST_TEXT = 384 * 1024
"""Characters of JSON that a page takes in all; the largest fields are left out first."""
_UNSEEN = re.compile(r"[^\x20-\x7e\n]")


@dataclass(frozen=True, slots=True)
class Kept:
    """A field that the text leaves out, and why. ``name`` is masked."""

    name: str
    why: str
    size: int


@dataclass(frozen=True, slots=True)
class EntryText:
    """An entry as text, and what the page shows of it."""

    text: str
    opened: Opened


def entry_text(look: Look, *, user_id: int | None) -> EntryText:
    """The text to edit. A field of which anything is masked is never in it."""
    entry = look.entry or {}
    kept = _left_out(entry)
    texts = {name: value for name, value in entry.items() if name not in kept}
    opened = opened_now(
        store_id=look.store_id,
        ref=look.ref,
        user_id=user_id,
        key=look.key,
        entry=entry,
        names=texts,
        kept=kept,
    )
    return EntryText(pretty(texts), opened)


def kept_of(entry: Entry, opened: Opened) -> tuple[Kept, ...]:
    """The fields that the text leaves out, as they are now."""
    left_out = _left_out(entry)
    unnamed = (_("was left out when the page was opened"), 0)
    return tuple(
        Kept(shown(name)[:200], *left_out.get(name, unnamed))
        for name in entry
        if name_digest(name) in opened.kept
    )


def _left_out(entry: Entry) -> dict[str, tuple[str, int]]:
    sizes = {name: len(json_text(value)) for name, value in entry.items()}
    kept: dict[str, tuple[str, int]] = {}
    for name, value in entry.items():
        if is_masked(name, value):
            kept[name] = (_("holds something masked"), 0)  # a mask has no trace of the length
        elif sizes[name] > LARGEST_CARRIED:
            kept[name] = (_("is large"), sizes[name])
        elif why := _untypable({name: value}):
            kept[name] = (why, sizes[name])
    rest = sorted((n for n in entry if n not in kept), key=lambda name: sizes[name])
    while rest and sum(sizes[name] for name in rest) > LARGEST_TEXT:
        largest = rest.pop()
        kept[largest] = (_("is large"), sizes[largest])
    return kept


def _untypable(value: Any) -> str:
    """Why a value cannot be typed as JSON without being changed; empty where it can."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else _("holds a number that JSON does not have")
    if isinstance(value, int):
        return "" if abs(value) <= LARGEST else _("holds a number that gateways would round")
    if isinstance(value, str):
        return _("holds half of a character") if HALF.search(value) else ""
    inner = list(value) if isinstance(value, list) else []
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    return next((why for each in inner if (why := _untypable(each))), "")


def pretty(value: Any) -> str:
    """Indented JSON in which every character can be seen; the others are escaped."""
    return _UNSEEN.sub(_escaped, json.dumps(value, ensure_ascii=False, indent=2))


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    return char if char.isprintable() else json.dumps(char)[1:-1]


def wanted_of_text(opened: Opened, text: str) -> Wanted:
    """The edits that lead from what was shown to this text. A field taken out is removed.

    Raises:
        JsonTextError: the text is not one JSON object, or names a field that was left out of it.
    """
    read = read_object(text)
    for name, line in read.lines.items():
        if name_digest(name) in opened.kept:
            at = _line_start(text.replace("\r\n", "\n"), line)
            raise JsonTextError(
                _("The entry has a field of this name, which is kept as it is; take it out here."),
                place_of(text.replace("\r\n", "\n"), at),
            )
    return Wanted(opened, tuple(_typed(opened, read.value)), any_field=True, lines=read.lines)


def _typed(opened: Opened, value: Mapping[str, Any]) -> list[Typed]:
    names = [*opened.seen, *(name for name in value if name not in opened.seen)]
    pairs = ((name, opened.of(name), value.get(name, ABSENT)) for name in names)
    return [Typed(name, seen, yours) for name, seen, yours in pairs if _differs(seen, yours)]


def _differs(seen: Seen, yours: Any) -> bool:
    # What was seen masked or large while a conflict was settled comes back only when chosen.
    return bool(seen.digest) or not same(seen.value, yours)


def _line_start(text: str, line: int) -> int:
    at = 0
    for _each in range(line - 1):
        at = text.index("\n", at) + 1
    return at + len(text[at:]) - len(text[at:].lstrip())


def text_with_now(opened: Opened, text: str, name: str, now: Any) -> tuple[Opened, str]:
    """The text with one field as it is now, or left out of it, so that it is not changed.

    Raises:
        JsonTextError: the text is not one JSON object.
    """
    value = dict(read_object(text).value)
    value.pop(name, None)
    if now is ABSENT:
        return opened, pretty(value)
    if seen_of(name, now, place=opened.place).digest or _untypable(now):
        return opened.keeping(name), pretty(value)
    return opened, pretty({**value, name: now})
