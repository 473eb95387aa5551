"""What is checked before an entry is written, under its lock: known fields, values, labels."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.editing import ABSENT, FieldEdit, same
from sessionstore.entries import Entry
from sessionstore.errors import CorruptEntryError, UnsafeFileError
from sessionstore.index import Query, Row
from sessionstore.index.texts import clean
from sessionstore.store import open_store

from .carrying import Saved
from .change_problems import InvalidFieldsError
from .entry_rules import editable_fields, errors_of, label_errors, writable_fields
from .fleet import page_budget_s
from .model_override import BY_A_PERSON, MODEL_FIELDS
from .problems import ProblemError, still_reading
from .readers import Reader, refresh_all
from .tree import masked, shown

_EVERY = 10_000_000

Check = Callable[[Entry | None, Entry], None]


def refuse_unknown_fields(names: Iterable[str]) -> None:
    """Let only fields through that operators may edit; the rest asks for raw JSON.

    Raises:
        InvalidFieldsError: with each of the others.
    """
    allowed = editable_fields()
    _refuse([name for name in names if name not in allowed])


def refuse_unknown_edits(edits: Sequence[FieldEdit]) -> None:
    """The same for edits, which may bring along what follows from one of them, as the form does.

    Raises:
        InvalidFieldsError: with each field that is neither.
    """
    allowed, leaders = editable_fields(), {edit.name for edit in edits} & MODEL_FIELDS
    others = [edit for edit in edits if edit.name not in allowed]
    _refuse([edit.name for edit in others if not (leaders and _follows(edit))])


def _follows(edit: FieldEdit) -> bool:
    """Whether a change of the model override brings this along (openclaw-format §3.3, §3.8)."""
    is_follower = edit.name in writable_fields()
    return is_follower and (edit.yours is ABSENT or (edit.name, edit.yours) == BY_A_PERSON)


def _refuse(names: Sequence[str]) -> None:
    said = _("This field is not one of those on the form.")
    if names:
        raise InvalidFieldsError({shown(name)[:100]: said for name in names})


def checker(reader: Reader, key: str) -> Check:
    """A check of the entry that is about to be written.

    Raises:
        InvalidFieldsError: from the check; only values that change are looked at.
    """

    def check(before: Entry | None, after: Entry) -> None:
        errors = errors_of(
            before, after, label_taken=lambda label: label_holder(reader, key, label)
        )
        if errors:
            raise InvalidFieldsError(errors)

    return check


def label_checker(reader: Reader, key: str) -> Check:
    """A check of an entry that comes back: its values were there, but its label may be taken.

    Raises:
        InvalidFieldsError: from the check.
    """

    def check(before: Entry | None, after: Entry) -> None:
        errors = label_errors(
            before, after, label_taken=lambda label: label_holder(reader, key, label)
        )
        if errors:
            hint = _("Nothing was written. Give that session another label, then repeat this.")
            raise InvalidFieldsError(errors, hint=hint)

    return check


def label_holder(reader: Reader, key: str, label: str) -> str | None:
    """The key, masked, of another session of this store that has the label.

    The index finds candidates, their entries decide: one file for each session of that name.

    Raises:
        ProblemError: as :func:`rows_with`.
    """
    name = clean(label.strip())
    rows = rows_with(reader, name.rstrip("…"))  # cut, as the index has it
    others = [row.key for row in rows if row.name == name and row.key != key]
    if not others:
        return None
    with open_store(reader.paths.store_path) as store:
        for other in others:
            try:
                entry = store.get(other)
            except (CorruptEntryError, UnsafeFileError):
                continue  # it has no label that anybody could read
            if entry is not None and entry.get("label") == label:
                return shown(other)
    return None


def rows_with(reader: Reader, text: str) -> tuple[Row, ...]:
    """Every session that has these words in its key, id or titles; none where there is no word.

    Raises:
        ProblemError: the store was never read yet, so nobody can tell.
    """
    if not text.strip():
        return ()
    refresh_all([reader], budget_s=page_budget_s())
    # Masked as the index has it; it is for the caller to tell apart what then looks alike.
    page = reader.page(Query(text=masked(text), machine=True, limit=_EVERY))
    if page is None:
        raise ProblemError(still_reading(reader.name))
    return page.rows


def named_again(
    change: Callable[[Entry | None], Entry | None],
) -> Callable[[Entry | None], Entry | None]:
    """The change, giving a session that it creates an id of its own (openclaw-format §3.8)."""

    def named(fresh: Entry | None) -> Entry | None:
        made = change(fresh)
        if fresh is None and made is not None:
            made.setdefault("sessionId", str(uuid.uuid4()))
        return made

    return named


def with_merged(
    saved: Saved, edits: Sequence[FieldEdit], opened: Mapping[str, Any] | None
) -> Saved:
    """Name the fields that the person saw with another value than they have now."""
    mine = {edit.name for edit in edits}
    now = saved.entry or {}
    others = [
        shown(name)
        for name, value in (opened or {}).items()
        if name not in mine and not same(value, now.get(name, ABSENT))
    ]
    return replace(saved, merged=tuple(sorted(others)))
