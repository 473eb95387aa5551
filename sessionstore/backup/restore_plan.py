"""What restoring a backup into a store would do, before anything is done.

Both sides are read: the store without a lock, the archive with every check of ``reading``. A
damaged part of the archive is named and leaves what the store has there as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .. import entries
from ..backing import Backing
from ..changes import now_ms
from ..editing import ABSENT, FieldEdit, merge
from ..entries import Entry
from ..errors import EntryNotFoundError, Finding, InvalidEntryError
from ..files import status_of
from ..keys import check_key, locate
from ..layout import detect_layout
from ..locks import gateway_running, held_locks
from ..paths import StorePaths
from ..store import Store
from ..treefiles import free_bytes
from .reading import Archive, open_archive
from .restore_checks import DAMAGED_STATE, Seen, look, tag_of
from .restore_source import check_keys, entry_of, held_keys, lost_sessions, side_asides
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
        difference = _Difference(whole=chosen is None and backup.scope == "store")
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
            backup, store, names, difference, _findings(store, archive, difference), needed
        )


def _backing(store: Store) -> Backing:
    return Backing(
        store.paths, max_entry_bytes=store.max_entry_bytes, recorder=None, gateway_lock_dir=None
    )


@dataclass(slots=True)
class _Difference:
    """The plan's lists while they are made."""

    whole: bool
    unchanged: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    before: dict[str, Entry] = field(default_factory=dict)
    after: dict[str, Entry] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    def compare(self, archive: Archive, seen: Seen, chosen: tuple[str, ...] | None) -> None:
        """Sort every session that counts into one of the lists."""
        self.etags = {key: state for key, (state, _) in seen.items()}
        for key, entry in self._held(archive, chosen):
            self._sort(key, entry, seen.get(key))
        unknown = side_asides(archive) if self.whole else set()
        for key in sorted(seen.keys() - {*self.unchanged, *self.changed, *self.created}):
            if key not in self.unusable and locate(key).file_name in unknown:
                self.unusable.append(key)
        held = {*self.unchanged, *self.changed, *self.created, *self.unusable}
        for key in sorted(seen.keys() - held) if self.whole else ():
            self.removed.append(key)
            self._note_before(key, seen[key])

    def _held(
        self, archive: Archive, chosen: tuple[str, ...] | None
    ) -> Iterator[tuple[str, Entry]]:
        """What the backup holds that can be read; the rest becomes ``unusable``."""
        for read in archive.entries(chosen):
            entry, problem = None, read.problem
            if read.data is not None:
                entry, problem = entry_of(archive, read.session, read.data)
            if entry is not None:
                yield read.session.key, entry
            elif problem is not None:
                self.unusable.append(read.session.key)
                self.problems.append(problem)
        for aside in lost_sessions(archive):
            if aside.key is not None and (chosen is None or aside.key in chosen):
                self.unusable.append(aside.key)
                self.problems.append(_was_damaged(aside.key, aside.file, aside.reason))

    def _sort(self, key: str, entry: Entry, now: tuple[str, bytes] | None) -> None:
        if now is not None and now[0] == tag_of(entry):
            self.unchanged.append(key)
            return
        (self.created if now is None else self.changed).append(key)
        self.after[key] = entry
        if now is not None:
            self._note_before(key, now)

    def _note_before(self, key: str, now: tuple[str, bytes]) -> None:
        if now[0] != DAMAGED_STATE:
            self.before[key] = entries.normalise(entries.decode(now[1]))

    def narrow(self, names: tuple[str, ...]) -> None:
        """Restore only these fields of the one session; the others stay as they are now."""
        key = next(iter([*self.unchanged, *self.changed, *self.created, *self.unusable]))
        if self.unusable:
            return
        if self.created or (self.changed and key not in self.before):
            what = "is not in the store" if self.created else "is damaged in the store"
            raise EntryNotFoundError(
                f"{key!r} {what}, so no field of it can be restored",
                key=key,
                hint="restore the whole session",
            )
        if self.changed:
            self.after[key] = with_fields(self.before[key], self.after[key], names)
            if entries.equal(self.after[key], self.before[key]):
                self.unchanged, self.changed = [key], []
                del self.after[key], self.before[key]


def with_fields(now: Entry, then: Entry, names: Iterable[str]) -> Entry:
    """The entry of now with these fields as they were then; one that was not there goes.

    Fields that depend on each other are brought into agreement, as every write does.
    """
    edits = [FieldEdit(name, now.get(name, ABSENT), then.get(name, ABSENT)) for name in names]
    merged, _ = merge(now, edits)
    settled = entries.settle_delivery(entries.drop_stale_file(now, merged), set(names))
    return entries.normalise(settled)


def _plan(
    backup: Backup,
    store: Store,
    fields: tuple[str, ...] | None,
    found: _Difference,
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
    found: _Difference,
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


def _needed_bytes(archive: Archive, found: _Difference) -> int:
    """What a run writes: the staged sessions, and a backup or versions of what is there."""
    sizes = {one.key: one.size_bytes for one in archive.manifest.sessions}
    if found.whole:
        return 2 * sum(sizes.values()) + 4096 * len(sizes)
    return 2 * sum(sizes.get(key, 0) + 4096 for key in (*found.changed, *found.created))


# -- findings ------------------------------------------------------------------------------


def _findings(store: Store, archive: Archive, found: _Difference) -> list[Finding]:
    findings = [*_of_writers(store), *found.problems]
    if found.changed or found.created or found.removed:
        findings.insert(0, _outside(archive))
    if found.whole and found.removed:
        count = len(found.removed)
        findings.append(
            Finding(
                "not-in-backup",
                "warning",
                None,
                None,
                f"{count} sessions are in the store and not in the backup: they are taken out",
                "they are in the automatic backup that is taken first",
            )
        )
    if archive.manifest.transcripts:
        findings.append(
            Finding(
                "transcripts-stay",
                "info",
                None,
                None,
                "transcripts that are there stay as they are; only missing ones are put back",
                "to have them as they were, restore to a new place",
            )
        )
    return findings


def _outside(archive: Archive) -> Finding:
    return Finding(
        "outside-world",
        "warning",
        None,
        None,
        "the outside world does not go back: messages that were sent stay sent, and channels, "
        "threads and providers may be out of step with what is restored",
        f"look at what happened since epoch ms {archive.manifest.created_ms} before you go on",
    )


def _of_writers(store: Store) -> Iterator[Finding]:
    paths = store.paths
    for held in held_locks(paths.sidecar, store_path=paths.store_path):
        yield Finding(
            "writer-seen",
            "warning",
            held.key,
            None,
            f"{held.program} (pid {held.pid}) holds a lock of this store for {held.operation}",
            "what it writes meanwhile makes the plan stale; stop it to restore everything",
        )
    gateway = gateway_running(paths.store_path)
    if gateway is not None:
        is_legacy = detect_layout(paths) == "legacy"
        yield Finding(
            "gateway-running",
            "error" if is_legacy else "warning",
            None,
            str(gateway.lock_path),
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory",
            "stop it first: it writes sessions.json without a lock"
            if is_legacy
            else "stop it to restore everything; single sessions can be restored beside it",
        )


def _was_damaged(key: str, file: str, reason: str) -> Finding:
    return Finding(
        "damaged-backup",
        "warning",
        key,
        None,
        f"{file} was damaged when the backup was taken: {reason}",
        "its bytes are in the backup, but there is no entry to restore; what is there now stays",
    )
