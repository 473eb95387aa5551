"""What saving would do, computed now: the difference, and each step in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.editing import ABSENT, FieldEdit, Overlap, merge, same
from sessionstore.entries import Entry
from sessionstore.locks import HeldLock

from .change_rules import label_holder
from .comparing import Pair, pair
from .edit_form import Wanted
from .edit_look import Look
from .edit_opened import is_still
from .entry_rules import errors_of
from .field_spec import Text
from .field_table import spec_of
from .tree import shown

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One field that would change.

    ``follows``: nobody typed it, it comes with another. ``risk`` says what the change can do.
    """

    pair: Pair
    follows: bool = False
    overlaps: bool = False
    risk: Text = ""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field, and on which line of a text it is (0: not in a text)."""

    name: str
    said: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Preview:
    """What saving would do now. ``moved`` names fields that
    others changed since the page was opened and that stay as they have them.
    """

    lines: tuple[Line, ...] = ()
    errors: tuple[FieldError, ...] = ()
    moved: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    gone: bool = False

    @property
    def overlaps(self) -> bool:
        return any(line.overlaps for line in self.lines)


def preview_of(look: Look, wanted: Wanted) -> Preview:
    """What saving would do to the session as it is now. Writes nothing and takes no lock."""
    fresh = {} if look.entry is None else look.entry
    edits = wanted.edits(fresh)
    mine = [e for e in edits if not same(fresh.get(e.name, ABSENT), e.yours)]
    _merged, overlaps = merge(fresh, edits)
    lines = tuple(_line(edit, fresh, wanted, overlaps) for edit in mine)
    after = with_edits(fresh, mine)
    errors = dict(wanted.errors)
    for name, said in errors_of(look.entry, after, label_taken=_label_check(look)).items():
        errors.setdefault(name, said)
    moved = moved_since(wanted, fresh) if look.entry is not None else ()
    return Preview(
        lines=lines,
        errors=field_errors(wanted, errors),
        moved=moved,
        steps=_steps(look, lines, moved) if lines and not errors else (),
        gone=look.entry is None and not wanted.opened.creates,
    )


def field_errors(wanted: Wanted, errors: Mapping[str, str]) -> tuple[FieldError, ...]:
    """Errors as the page lists them."""
    return tuple(
        FieldError(shown(name)[:100], said, wanted.lines.get(name, 0))
        for name, said in errors.items()
    )


def with_edits(entry: Mapping[str, Any], edits: Iterable[FieldEdit]) -> Entry:
    """An entry as the person wants it."""
    after = dict(entry)
    for edit in edits:
        after.pop(edit.name, None)
        if edit.yours is not ABSENT:
            after[edit.name] = edit.yours
    return after


def moved_since(wanted: Wanted, fresh: Mapping[str, Any]) -> tuple[str, ...]:
    """Names, masked, of fields that the page showed otherwise and the person left alone."""
    mine = {typed.name for typed in wanted.typed} | set(wanted.errors)
    moved = []
    for name, seen in wanted.opened.seen.items():
        if name in mine:
            continue
        if not is_still(name, seen, fresh, place=wanted.opened.place):
            moved.append(shown(name)[:100])
    return tuple(moved)


def _line(
    edit: FieldEdit, fresh: Mapping[str, Any], wanted: Wanted, overlaps: Sequence[Overlap]
) -> Line:
    follows = edit.name in wanted.follows
    spec = spec_of(edit.name)
    return Line(
        pair=pair(edit.name, fresh.get(edit.name, ABSENT), edit.yours),
        follows=follows,
        overlaps=not follows and any(o.name == edit.name for o in overlaps),
        risk=spec.risk if wanted.any_field else spec.caution,
    )


def _label_check(look: Look) -> Callable[[str], str | None]:
    return lambda label: label_holder(look.reader, look.key, label)


def _steps(look: Look, lines: Sequence[Line], moved: Sequence[str]) -> tuple[str, ...]:
    """What happens on Save, one sentence for each step."""
    names = ", ".join(line.pair.name for line in lines[:_MOST_NAMED])
    count = len(lines)
    merges = ngettext(
        "Merges %(count)d field: %(names)s.", "Merges %(count)d fields: %(names)s.", count
    )
    return (
        _lock_step(look.lock),
        _read_step(moved),
        merges % {"count": count, "names": names if count <= _MOST_NAMED else f"{names} …"},
        _write_step(look),
        _("Reads it back and compares."),
    )


def _lock_step(lock: HeldLock | None) -> str:
    if lock is None:
        return _("Takes the session's lock, which nobody holds.")
    since_s = 0.0 if not lock.since_ms else max(0.0, time.time() - lock.since_ms / 1000)
    return _("Waits for the session's lock: %(who)s has held it for %(seconds).1f s.") % {
        "who": shown(lock.program or _("another program")),
        "seconds": since_s,
    }


def _read_step(moved: Sequence[str]) -> str:
    if not moved:
        return _("Reads the entry again.")
    names = ", ".join(moved[:_MOST_NAMED])
    said = _("Reads the entry again; what others have changed since stays: %s.")
    return said % (names if len(moved) <= _MOST_NAMED else f"{names} …")


def _write_step(look: Look) -> str:
    if look.layout == "legacy":
        return _("Keeps what it replaces for an undo, and writes sessions.json.")
    return _("Keeps what it replaces for an undo, and writes the entry's file.")
