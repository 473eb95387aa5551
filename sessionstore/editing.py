"""Merging what a person edited with what writers wrote meanwhile, field by field.

Three values decide each field: what it was when the person opened it, what it is now, and what
they want. Only the person's own fields are touched, so a writer's fresh value is never
overwritten without being asked for. Pure: knows neither files nor locks.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from . import entries
from .entries import Entry
from .errors import ConflictError


class _Absent(enum.Enum):
    """The type of :data:`ABSENT`."""

    ABSENT = b"absent"  # bytes: JSON has none, so it can never be stored for a value

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent.ABSENT
"""Stands for a field that is not there; None is JSON's null, which is a value."""

Choice = Literal["mine", "now"]


@dataclass(frozen=True, slots=True)
class FieldEdit:
    """One field as the person saw it and as they want it; either may be :data:`ABSENT`."""

    name: str
    opened: Any
    yours: Any


@dataclass(frozen=True, slots=True)
class Overlap:
    """A field that the person and a writer both changed, differently."""

    name: str
    opened: Any
    now: Any
    yours: Any


class OverlapError(ConflictError):
    """Fields were changed by somebody else too; nothing was written.

    ``overlaps`` names them with all three values; ``etag`` is the entry's as it is now.
    """

    def __init__(
        self, message: str, *, overlaps: tuple[Overlap, ...] = (), etag: str = "", **details: Any
    ) -> None:
        super().__init__(message, **details)
        self.overlaps = overlaps
        self.etag = etag


def merge(
    fresh: Entry, edits: Iterable[FieldEdit], *, choices: Mapping[str, Choice] | None = None
) -> tuple[Entry, tuple[Overlap, ...]]:
    """The fresh entry with the edits in it, and the fields that need a choice first.

    A field that nobody else changed takes the person's value; one that is as they want it
    already is left. ``choices`` settles overlaps by name: "mine" or "now". The entry is a new
    dict that shares values with ``fresh``; overlapping fields keep what they are now.
    """
    merged, overlaps = dict(fresh), []
    for edit in edits:
        now = fresh.get(edit.name, ABSENT)
        if same(now, edit.yours):
            continue
        if not same(now, edit.opened):
            choice = (choices or {}).get(edit.name)
            if choice is None:
                overlaps.append(Overlap(edit.name, edit.opened, now, edit.yours))
            if choice != "mine":
                continue
        if edit.yours is ABSENT:
            merged.pop(edit.name, None)
        else:
            merged[edit.name] = edit.yours
    return merged, tuple(overlaps)


def merging(
    key: str,
    edits: Iterable[FieldEdit],
    *,
    choices: Mapping[str, Choice] | None = None,
    check: Callable[[Entry | None, Entry], None] | None = None,
) -> Callable[[Entry | None], Entry | None]:
    """A function for ``Store.update`` that carries the edits out under the session's lock.

    ``check`` gets the entry before and after and raises to refuse. Without an entry the edits
    make one (``update`` is called with ``create`` false where that is not wanted).

    Raises:
        OverlapError: from inside the update, so nothing is written.
    """
    wanted = tuple(edits)

    def change(fresh: Entry | None) -> Entry | None:
        merged, overlaps = merge(fresh or {}, wanted, choices=choices)
        if overlaps:
            names = ", ".join(ascii(overlap.name) for overlap in overlaps[:5])
            raise OverlapError(
                f"{len(overlaps)} fields of {key!r} were changed meanwhile: {names}; "
                "nothing was written",
                overlaps=overlaps,
                etag=entries.etag(fresh or {}),
                key=key,
                hint="choose for each field whether your value or the one there now stays",
            )
        if fresh is not None and entries.equal(fresh, merged):
            return None
        if check is not None:
            check(fresh, merged)
        return merged

    return change


def edits_between(before: Entry | None, after: Entry | None) -> tuple[FieldEdit, ...]:
    """The edits that lead from one entry to another; None is an entry without fields."""
    old, new = before or {}, after or {}
    names = [*old, *(name for name in new if name not in old)]
    pairs = ((name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in names)
    return tuple(
        FieldEdit(name, was, is_now) for name, was, is_now in pairs if not same(was, is_now)
    )


def same(left: Any, right: Any) -> bool:
    """Whether two field values are the same, absence included."""
    if left is ABSENT or right is ABSENT:
        return left is right
    return entries.equal(left, right)
