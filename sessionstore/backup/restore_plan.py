"""What restoring a backup into a store would do, before anything is done.

Both sides are read: the store without a lock, the archive with every check of ``reading``. A
damaged part of the archive is named and leaves what the store has there as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from .. import entries
from ..backing import Backing
from ..changes import now_ms
from ..errors import Finding, InvalidEntryError
from ..files import status_of
from ..keys import check_key
from ..paths import StorePaths
from ..store import Store
from ..treefiles import free_bytes
from .reading import Archive, open_archive
from .restore_checks import look, tag_of
from .restore_comparing import Difference
from .restore_findings import findings_of
from .restore_source import check_keys, held_keys
from .shapes import Backup, RestorePlan


def plan_restore(
    backup: Backup,
    store: Store,
    *,
    keys: Iterable[str] | None = None,
    fields: Iterable[str] | None = None,
) -> RestorePlan:
    """Compare a backup with a store: for everything, some sessions, or some fields of one.

    Without ``keys``, and where the backup was taken of the whole store, the plan is to make the
    store what it was: sessions that are not in the backup are ``removed``. A session that the
    backup holds only damaged stays as it is. Takes no lock and changes nothing. Cost: one read of
    the archive and of the store (of the named sessions, in the directory layout).

    Raises:
        EntryNotFoundError: a named session is not in the backup, or a field is to be restored of
            one that is not in the store.
        UnsafeBackupError, UnsupportedStoreError: the archive is refused as a whole.
        DamagedBackupError: its manifest cannot be read.
        ValueError: ``fields`` with other than one session.
    """
    chosen = None if keys is None else tuple(dict.fromkeys(check_key(key) for key in keys))
    names = None if fields is None else tuple(dict.fromkeys(fields))
    if names is not None and (chosen is None or len(chosen) != 1 or not names):
        raise ValueError("fields are restored of exactly one session: pass one key and its fields")
    with open_archive(backup) as archive:
        check_keys(archive, chosen or ())
        difference = Difference(whole=chosen is None and backup.scope == "store")
        backing = _backing(store)
        try:
            wanted = chosen if difference.whole or chosen is not None else held_keys(archive)
            seen = look(backing, None if difference.whole else wanted)
        finally:
            backing.close()
        difference.compare(archive, seen, chosen)
        if names is not None:
            difference.narrow(names)
        needed = _needed_bytes(archive, difference)
        return _plan(
            backup, store, names, difference, findings_of(store, archive, difference), needed
        )


def _backing(store: Store) -> Backing:
    return Backing(
        store.paths, max_entry_bytes=store.max_entry_bytes, recorder=None, gateway_lock_dir=None
    )


def _plan(
    backup: Backup,
    store: Store,
    fields: tuple[str, ...] | None,
    found: Difference,
    findings: list[Finding],
    needed_bytes: int,
) -> RestorePlan:
    lists = {
        name: tuple(sorted(getattr(found, name)))
        for name in ("unchanged", "changed", "created", "removed", "unusable")
    }
    digest = _digest(backup, store.paths, fields, found, lists)
    return RestorePlan(
        backup=backup,
        paths=store.paths,
        whole_store=found.whole,
        fields=fields,
        **lists,
        before=found.before,
        after=found.after,
        etags=found.etags,
        findings=tuple(findings),
        needed_bytes=needed_bytes,
        free_bytes=free_bytes(_nearest(store.paths)),
        created_ms=now_ms(),
        digest=digest,
        max_entry_bytes=store.max_entry_bytes,
    )


def _digest(
    backup: Backup,
    paths: StorePaths,
    fields: tuple[str, ...] | None,
    found: Difference,
    lists: Mapping[str, tuple[str, ...]],
) -> str:
    """Covers all that the plan decides: equal digests mean the same restore of the same store."""
    decided = {
        "backup": [backup.id, backup.sha256],
        "store": str(paths.store_path),
        "whole": found.whole,
        "fields": None if fields is None else sorted(fields),
        **{name: list(keys) for name, keys in lists.items()},
        "now": dict(sorted(found.etags.items())),
        "then": {key: tag_of(entry) for key, entry in sorted(found.after.items())},
    }
    try:
        return hashlib.sha256(entries.encode(decided)).hexdigest()
    except InvalidEntryError as error:  # a field's name that is no text of JSON
        raise ValueError(f"no field has such a name: {error.message}") from error


def _nearest(paths: StorePaths) -> str:
    """The nearest folder at or above the store's that is there."""
    folder = paths.store_path.parent
    while status_of(folder) is None and folder != folder.parent:
        folder = folder.parent
    return str(folder)


def _needed_bytes(archive: Archive, found: Difference) -> int:
    """What a run writes: the staged sessions, and a backup or versions of what is there."""
    sizes = {one.key: one.size_bytes for one in archive.manifest.sessions}
    if found.whole:
        return 2 * sum(sizes.values()) + 4096 * len(sizes)
    return 2 * sum(sizes.get(key, 0) + 4096 for key in (*found.changed, *found.created))
