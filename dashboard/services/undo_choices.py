"""Choosing between what is there now and what was there before, and for which values.

A form carries no value: a masked one must not travel, and one that changed since must not count.
It carries a keyed token of each value that the person saw instead.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.crypto import salted_hmac

from dashboard.models import Change
from sessionstore.editing import ABSENT, Choice, Overlap
from sessionstore.entries import Entry, etag
from sessionstore.kept import Version

from .comparing import Side, field_id, names_by_id, sides
from .tree import shown

_TOKEN_LENGTH = 16


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """A field that changed since: as the change wrote it, as it is now, as it was before."""

    id: str
    name: str
    wrote: Side
    now: Side
    before: Side


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person chose: for fields by their ids, or to remove a session used since."""

    fields: Mapping[str, str]
    seen: str
    remove: bool = False


def choice_row(overlap: Overlap) -> ChoiceRow:
    """An overlap as a page shows it."""
    wrote, now, before = sides(overlap.name, (overlap.opened, overlap.now, overlap.yours))
    return ChoiceRow(field_id(overlap.name), shown(overlap.name)[:200], wrote, now, before)


def choices_of(answers: Answers, version: Version | None, now: Entry | None) -> dict[str, Choice]:
    """What was chosen, by raw names, of the fields that the change has something to do with."""
    if version is None:
        return {}
    if answers.remove and version.entry is None:
        return dict.fromkeys([*version.written, *(now or {})], "mine")
    names = names_by_id(version.changed)
    known: dict[str, Choice] = {"mine": "mine", "now": "now"}
    return {
        names[ident]: known[answer]
        for ident, answer in answers.fields.items()
        if ident in names and answer in known
    }


def seen_of(change: Change, overlaps: Iterable[Overlap]) -> str:
    """What a form carries to prove which values its person saw."""
    tokens = (f"{field_id(o.name)}:{_token(change, o.name, o.now)}" for o in overlaps)
    return ",".join(tokens)


def holding(answers: Answers, seen: str) -> dict[str, str]:
    """The answers, by the ids of fields, that were made for the values of a newer form."""
    before, now = _tokens(answers.seen), _tokens(seen)
    return {
        ident: answer
        for ident, answer in answers.fields.items()
        if ident in now and now[ident] == before.get(ident)
    }


def still_for(change: Change, seen: str) -> Callable[[str, Any], bool]:
    """Whether a field has the value that the posted form was made for."""
    tokens = _tokens(seen)

    def still(name: str, now: Any) -> bool:
        token = tokens.get(field_id(name), "")
        return hmac.compare_digest(token.encode(), _token(change, name, now).encode())

    return still


def _tokens(seen: str) -> dict[str, str]:
    return dict(item.split(":", 1) for item in seen.split(",") if ":" in item)


def _token(change: Change, name: str, now: Any) -> str:
    """Stands for a value in a form. Keyed, so that nobody can guess a masked value from it."""
    value = "" if now is ABSENT else etag({"now": now})
    text = json.dumps([change.pk, name, value])
    return salted_hmac("dashboard.undo", text).hexdigest()[:_TOKEN_LENGTH]
