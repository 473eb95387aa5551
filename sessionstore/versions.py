"""Taking an operator's change back: what it replaced, and undoing it without losing what
writers wrote since.

A change is kept by making it through ``store.keeping(Keeper(...))``. Undoing one is a merge,
not a copy back: only the fields that the change touched return to what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import entries
from .editing import ABSENT, Choice, FieldEdit, Overlap, OverlapError, merge, same
from .entries import Entry
from .errors import CorruptEntryError, EntryNotFoundError, UnsafeFileError
from .files import close_directory, open_directory, sync_descriptor
from .kept import (
    KEPT_FOR_S,
    KEPT_PER_SESSION,
    Keeper,
    Version,
    read_version,
    read_versions,
    took_place,
)
from .keys import check_key, fold
from .paths import StorePaths
from .store import Store, check_timeout
from .versionfiles import file_names, folders_of, remove_one, surplus

__all__ = [
    "KEPT_FOR_S",
    "KEPT_PER_SESSION",
    "Keeper",
    "Version",
    "carried_out",
    "find_version",
    "sweep",
    "undo",
    "undone",
    "versions",
]

# Says when a session was active, which neither an edit nor its undo is.
_ACTIVITY = "updatedAt"


def versions(store: Store, key: str) -> list[Version]:
    """What operators' changes of this session replaced, newest first.

    Opens one file per version (at most :data:`KEPT_PER_SESSION`), and the entry if one of them
    is only begun. A version whose change was never made, because the process died first, is
    left out.

    Raises:
        CorruptStoreError: a version's file is damaged; UnsafeFileError: a link stands there.
        InvalidKeyError, StoreIOError.
    """
    found = read_versions(store.paths, fold(check_key(key)))
    if not any(version.begun for version in found):
        return found
    try:
        return carried_out(found, store.get(key))
    except (CorruptEntryError, UnsafeFileError):
        return found  # what is there cannot tell, and a version is what it can be restored from


def carried_out(found: Sequence[Version], now: Entry | None) -> list[Version]:
    """Those of a session's versions, newest first, whose change was made. ``now``: its entry."""
    after: list[Entry | None] = [now, *(version.entry for version in found)]
    return [v for at, v in enumerate(found) if not v.begun or took_place(v, after[at])]


def find_version(store: Store, version_id: str) -> Version:
    """One version by its id. Opens one file.

    Raises:
        EntryNotFoundError: it has been pruned, or there never was one.
        CorruptStoreError: its file is damaged.
    """
    version = read_version(store.paths, version_id)
    if version is None:
        raise EntryNotFoundError(
            f"there is no version {version_id!r} any more",
            path=store.paths.sidecar / "versions",
            hint="versions are kept for a limited time and number; a backup may have it",
        )
    return version


def sweep(
    paths: StorePaths,
    *,
    now_ms: int,
    keep_count: int = KEPT_PER_SESSION,
    keep_for_s: float = KEPT_FOR_S,
) -> int:
    """Remove versions that are too old or too many; returns how many. Lists every folder."""
    older_than_ms = now_ms - int(keep_for_s * 1000)
    removed = 0
    for folder in folders_of(paths):
        try:
            fd = open_directory(folder)
        except (FileNotFoundError, UnsafeFileError):
            continue  # gone by now, or nothing of ours
        try:
            found = file_names(fd, folder)
            too_many = surplus(found, keep_count=keep_count, older_than_ms=older_than_ms)
            gone = sum(remove_one(fd, name) for name in too_many)
            if gone:
                sync_descriptor(fd, folder)
            removed += gone
        finally:
            close_directory(fd)
    return removed


def undone(
    version: Version, fresh: Entry | None, *, choices: Mapping[str, Choice] | None = None
) -> tuple[Entry | None, tuple[Overlap, ...]]:
    """What taking a change back leaves of the entry, and the fields that need a choice first.

    Pure: :func:`undo` does this under the lock. Where the change created the session the entry is
    None, and every field that is not as the change wrote it needs the choice "mine".
    """
    if version.entry is None:
        return None, _used_since(version, fresh, choices or {})
    if fresh is None:
        return dict(version.entry), ()  # with its own updatedAt: coming back is no activity
    edits = [
        FieldEdit(name, version.written.get(name, ABSENT), version.entry.get(name, ABSENT))
        for name in version.changed
        if name != _ACTIVITY or version.removed
    ]
    merged, overlaps = merge(fresh, edits, choices=choices)
    return merged, tuple(overlap for overlap in overlaps if overlap.name != _ACTIVITY)


def undo(
    store: Store,
    version_id: str,
    *,
    choices: Mapping[str, Choice] | None = None,
    still: Callable[[str, Any], bool] | None = None,
    check: Callable[[Entry | None, Entry], None] | None = None,
    timeout: float | None = None,
) -> Entry | None:
    """Take one change back: its fields return to what they were, all others stay.

    Runs under the session's lock. A field that somebody changed since needs a choice: "mine"
    puts the old value back, "now" keeps what is there. ``still`` is asked whether a field's
    value there now is the one that "mine" was chosen over; if not, it needs a choice again.
    ``check`` gets the entry before and after and raises to refuse, also under the lock. A deleted
    session comes back, a created one goes. The undo itself is kept as a version too (by
    the store's own keeper, if it has one). Returns the entry, None when it is gone.

    Raises:
        OverlapError: fields changed since and ``choices`` does not name them; nothing written.
        EntryNotFoundError: the version is pruned, or the session was deleted since.
        Else as ``Store.update``.
    """
    version = find_version(store, version_id)
    keeper = store.keeper or Keeper(action="undo", note={"undoes": version_id})
    kept = store.keeping(keeper)
    if timeout is not None:
        kept.timeout = check_timeout(timeout)

    is_merged = False

    def change(fresh: Entry | None) -> Entry | None:
        nonlocal is_merged
        entry, overlaps = undone(version, fresh, choices=_holding(choices, fresh, still))
        if overlaps:
            raise _overlapping(version, fresh or {}, overlaps)
        if check is not None and entry is not None:
            check(fresh, entry)
        is_merged = _is_merge(version, fresh, entry)
        return entry

    if version.entry is None:
        return _remove_again(kept, version, change)
    stored = kept.update(version.key, change, create=version.removed)
    if is_merged:
        kept.tell_merged("update")
    return stored


def _is_merge(version: Version, fresh: Entry | None, entry: Entry | None) -> bool:
    """Whether an undo changes an entry that others changed after the change it takes back."""
    if fresh is None or entry is None or entries.equal(fresh, entry):
        return False
    kept = {n: v for n, v in (version.entry or {}).items() if n not in version.changed}
    left = {} if version.removed else kept | dict(version.written)
    return not entries.equal(_but_activity(fresh), _but_activity(left))


def _but_activity(entry: Entry) -> Entry:
    return {name: value for name, value in entry.items() if name != _ACTIVITY}


def _holding(
    choices: Mapping[str, Choice] | None,
    fresh: Entry | None,
    still: Callable[[str, Any], bool] | None,
) -> Mapping[str, Choice]:
    """The choices that still count: nobody loses a value that the person has not seen."""
    if still is None:
        return choices or {}
    now = fresh or {}
    return {
        name: choice
        for name, choice in (choices or {}).items()
        if choice == "now" or still(name, now.get(name, ABSENT))
    }


def _remove_again(
    store: Store, version: Version, change: Callable[[Entry | None], Entry | None]
) -> Entry | None:
    """Undo a creation. Conditional on the entry that was looked at, so nothing slips between."""
    fresh = store.get(version.key)
    change(fresh)
    if fresh is not None:
        store.delete(version.key, if_match=entries.etag(fresh))
    return None


def _used_since(
    version: Version, fresh: Entry | None, choices: Mapping[str, Choice]
) -> tuple[Overlap, ...]:
    if fresh is None:
        return ()
    names = [*fresh, *(name for name in version.written if name not in fresh)]
    values = ((n, version.written.get(n, ABSENT), fresh.get(n, ABSENT)) for n in names)
    return tuple(
        Overlap(name, wrote, now, ABSENT)
        for name, wrote, now in values
        if name != _ACTIVITY and not same(wrote, now) and choices.get(name) != "mine"
    )


def _overlapping(version: Version, fresh: Entry, overlaps: tuple[Overlap, ...]) -> OverlapError:
    names = ", ".join(ascii(overlap.name) for overlap in overlaps[:5])
    return OverlapError(
        f"{len(overlaps)} fields of {version.key!r} were changed since: {names}; "
        "nothing was undone",
        overlaps=overlaps,
        etag=entries.etag(fresh),
        key=version.key,
        hint="choose for each field whether the old value or the one there now stays",
    )
