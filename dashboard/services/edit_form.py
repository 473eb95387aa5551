"""The edit form of a session as a whole: what it shows, and which edits came back with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sessionstore.editing import ABSENT, FieldEdit, same

from .edit_controls import (
    KEEP,
    Control,
    control_of,
    field_of,
    keep_field_of,
    read,
    written,
)
from .edit_look import Look
from .edit_opened import Opened, Seen, edit_of, opened_now
from .field_spec import FieldSpec, Text
from .field_table import FIELDS, FORM_FIELDS, SECTIONS
from .model_override import follow_ups, followers

Posted = Mapping[str, str]

_OWN = re.compile(r"[fk]-[A-Za-z]{1,60}")


@dataclass(frozen=True, slots=True)
class Typed:
    """One field that a person changed: what they saw and what they want. ``yours`` is raw."""

    name: str
    seen: Seen
    yours: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """Controls that belong together."""

    name: str
    title: Text
    controls: tuple[Control, ...]

    @property
    def caution(self) -> Text:
        """What a change of any of them can do."""
        cautions = {str(control.spec.caution) for control in self.controls}
        return cautions.pop() if len(cautions) == 1 else ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants of a session: their edits, what follows from them, what is wrong.

    ``any_field``: raw JSON, which may change fields that no form has; ``lines`` says on which line
    of its text a field is.
    """

    opened: Opened
    typed: tuple[Typed, ...] = ()
    follows: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    any_field: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    def edits(self, fresh: Mapping[str, Any]) -> tuple[FieldEdit, ...]:
        """Their edits, and those that follow, which nobody is asked about."""
        own = [
            edit_of(typed.name, typed.seen, typed.yours, fresh, place=self.opened.place)
            for typed in self.typed
        ]
        return (*own, *follow_ups(own, fresh)) if self.follows else tuple(own)


def opened_form(look: Look, *, user_id: int | None) -> Opened:
    """What the form shows of a session as it is now."""
    return opened_now(
        store_id=look.store_id,
        ref=look.ref,
        user_id=user_id,
        key=look.key,
        entry=look.entry or {},
        names=[spec.name for spec in FORM_FIELDS],
    )


def sections_of(
    opened: Opened,
    posted: Posted | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    asked: str = "",
) -> tuple[Section, ...]:
    """The form's controls, as opened or as posted. The first error has the focus, or ``asked``."""
    first = next((spec.name for spec in FORM_FIELDS if spec.name in (errors or {})), asked)
    made = [
        replace(
            _control(spec, opened, posted),
            error=(errors or {}).get(spec.name, ""),
            asked=spec.name == asked,
            focus=spec.name == first,
        )
        for spec in FORM_FIELDS
    ]
    return tuple(
        Section(name, title, tuple(c for c in made if c.spec.section == name))
        for name, title in SECTIONS
    )


def _control(spec: FieldSpec, opened: Opened, posted: Posted | None) -> Control:
    text = None if posted is None else posted.get(field_of(spec.name))
    keeps = None if posted is None else keep_field_of(spec.name) in posted
    return control_of(spec, opened.of(spec.name), text=text, keeps=keeps)


def wanted_of(opened: Opened, posted: Posted, *, now_ms: int) -> Wanted:
    """Read a posted form. A field that is not in it is not changed."""
    typed: list[Typed] = []
    errors: dict[str, str] = {}
    for spec in FORM_FIELDS:
        seen, text = opened.of(spec.name), posted.get(field_of(spec.name))
        if text is None or not _was_touched(spec, seen, text, posted):
            continue
        try:
            value = read(spec, text, now_ms=now_ms)
        except ValueError as error:
            errors[spec.name] = str(error)
            continue
        if seen.digest or not same(seen.value, value):
            typed.append(Typed(spec.name, seen, value))
    return Wanted(opened, tuple(typed), followers(each.name for each in typed), errors)


def made_again(opened: Opened, posted: Posted, wanted: Wanted) -> Wanted:
    """What a new session gets: all that is typed, and what the form was to keep as it was."""
    typed = {each.name: each for each in wanted.typed}
    for spec in FORM_FIELDS:
        value = opened.of(spec.name).value
        keeps = posted.get(field_of(spec.name)) == KEEP or keep_field_of(spec.name) in posted
        if keeps and value is not ABSENT:
            typed.setdefault(spec.name, Typed(spec.name, Seen(), value))
    return replace(wanted, typed=tuple(typed.values()))


def _was_touched(spec: FieldSpec, seen: Seen, text: str, posted: Posted) -> bool:
    before = written(spec, seen)
    if before is None:
        return keep_field_of(spec.name) not in posted
    return text not in (before, KEEP)


def carried(posted: Posted) -> dict[str, str]:
    """What of a posted form travels on through a page that asks something in between."""
    return {name: text for name, text in posted.items() if _OWN.fullmatch(name)}


def with_now(posted: Posted, name: str, now: Seen) -> dict[str, str]:
    """The posted form with one field as it is now, so that it is not changed."""
    kept = {n: t for n, t in posted.items() if n not in (field_of(name), keep_field_of(name))}
    if now.masked or name not in FIELDS:
        return kept
    text = written(FIELDS[name], now)
    if text is None:
        return kept | {field_of(name): "", keep_field_of(name): "on"}
    return kept | {field_of(name): text}
