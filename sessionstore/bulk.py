"""Bulk saves as differences: what changes between what a caller loaded and what it hands in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import entries
from .changes import Change, put
from .entries import Entry
from .errors import (
    ConflictError,
    CorruptEntryError,
    InvalidEntryError,
    SessionStoreError,
    UnsafeFileError,
)
from .keys import check_key
from .layout import REMOVE, New, Transform


def folded(mapping: Mapping[str, Entry]) -> dict[str, Entry]:
    """Normalised entries by folded key; of two spellings the newer ``updatedAt`` counts.

    Raises:
        InvalidKeyError, InvalidEntryError: before anything is written.
    """
    result: dict[str, Entry] = {}
    for spelt, entry in mapping.items():
        key = check_key(spelt)
        try:
            entries.encode(entry)
        except InvalidEntryError as error:
            error.key = key
            raise
        new = entries.normalise(entry)
        if key not in result or _rank(new) > _rank(result[key]):
            result[key] = new
    return result


def _rank(entry: Entry) -> tuple[int, str]:
    return (entries.updated_at_ms(entry) or 0, entries.etag(entry))


def compute_changes(
    seen: Mapping[str, bytes],
    working: Mapping[str, Entry],
    change_of: Callable[[str], Change],
) -> dict[str, Any]:
    """New bytes (or REMOVE) of the keys in which ``working`` differs from ``seen``."""
    wanted = folded(working)
    result: dict[str, Any] = dict.fromkeys(seen.keys() - wanted.keys(), REMOVE)
    for key, entry in wanted.items():
        transform = put(change_of(key), entry)
        if (new := transform(seen.get(key))) is not None:
            result[key] = new
    return result


def diff_against(
    mapping: Mapping[str, Entry],
    base: Mapping[str, Entry] | None,
    change_of: Callable[[str], Change],
) -> dict[str, Transform]:
    """One transform for each key that the caller changed, added or removed."""
    new = folded(mapping)
    if base is None:
        return {key: put(change_of(key), entry) for key, entry in new.items()}
    old = folded(base)
    result: dict[str, Transform] = {
        key: _guarded(change_of(key), old[key], None) for key in old.keys() - new.keys()
    }
    for key, entry in new.items():
        if key not in old or not entries.equal(old[key], entry):
            result[key] = _guarded(change_of(key), old.get(key), entry)
    return result


def _guarded(change: Change, base: Entry | None, entry: Entry | None) -> Transform:
    """Write ``entry`` (None: remove) only over ``base``, or where it is there already."""

    def transform(old: bytes | None) -> New:
        current, _ = change.read(old)
        if _equal(current, entry):
            return None
        if not _equal(current, base):
            raise ConflictError(f"session {change.key!r} changed meanwhile", key=change.key)
        return REMOVE if entry is None else put(change, entry)(old)

    return transform


def _equal(left: Entry | None, right: Entry | None) -> bool:
    if left is None or right is None:
        return left is right
    return entries.equal(left, right)


def not_saved(failed: Mapping[str, SessionStoreError], path: Path) -> SessionStoreError:
    """One error for all keys that a bulk save had to leave; all others are written.

    Conflicts and damage are a ConflictError; a timeout or the system's refusal of one key is
    raised as it is, with what else was left in its message.
    """
    keys = sorted(failed)
    shown = ", ".join(ascii(key) for key in keys[:5]) + (" …" if len(keys) > 5 else "")
    for key in keys:
        error = failed[key]
        if not isinstance(error, ConflictError | CorruptEntryError | UnsafeFileError):
            if len(keys) > 1:
                error.message += f"; in all {len(keys)} sessions were not saved: {shown}"
            return error
    return ConflictError(
        f"{len(keys)} sessions changed since they were loaded, or are damaged, and were left as "
        f"they are: {shown}",
        keys=tuple(keys),
        path=path,
        hint="load them again and repeat the change; all others were written",
    )
