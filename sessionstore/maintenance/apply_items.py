"""Carrying out one item of a plan, again and again to the same end.

What it is about is looked at anew under the writers' locks: what moved since the plan is skipped.
Whether an earlier attempt came to it is told by what is there: the version that a change of an
entry keeps names run and item, and a file that was moved has the name that the intent gave it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..changes import now_ms
from ..entries import Entry, encode
from ..errors import (
    ConflictError,
    CorruptEntryError,
    EntryNotFoundError,
    LockTimeoutError,
    SessionStoreError,
    UnsafeFileError,
)
from ..kept import Keeper, Version
from ..store import Store
from ..transcripts import archive_name
from ..versions import versions
from . import apply_blobs
from .apply_files import GONE, OUT, Mover, carried, refusal_of, stops_all
from .plan_draft import is_archivable
from .plan_files import ORPHANS, why_none_is_orphan
from .plan_shapes import PlannedItem
from .runs import RunFacts
from .runs_journal import Record
from .shapes import Inventory

ACTION = "tidy"
"""The action of versions that maintenance keeps."""

MOVED = "It changed since the plan was made, so it was left as it is."

Names = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Doer:
    """Does the items of one run."""

    store: Store
    run: RunFacts
    mover: Mover
    look: Inventory | None

    def intent(self, item: PlannedItem) -> Record:
        """What is about to be done, with the names that files will have."""
        names: Iterable[str] = item.files if item.kind == "entry" else (item.path or "",)
        if item.kind in ("field", "value"):
            names = ()
        pairs = [(name, self._target(item, name, at)) for at, name in enumerate(names)]
        return Record("intent", now_ms(), item.id, tuple(pairs))

    def _target(self, item: PlannedItem, name: str, at: int) -> str:
        if item.action != "archive" or not is_archivable(name):
            return f"{OUT}{item.id}-{at}"
        moment = now_ms()
        while self.mover.stamp(archived := archive_name(name, "deleted", at_ms=moment)):
            moment += 1
        return archived

    def do(self, item: PlannedItem, intent: Record) -> Record:
        """Carry an item out and say what came of it.

        Raises:
            GatewayRunningError, StoreIOError: nothing more can be done now (:func:`stops_all`).
        """
        try:
            if item.kind == "entry":
                return self._entry(item, intent)
            if item.kind == "field":
                return self._fields(item)
            if item.kind == "value":
                return self._blob(item)
            return self._file(item, intent.names)
        except (ConflictError, EntryNotFoundError):
            return self._said(item, MOVED if self._is_there(item) else GONE)
        except LockTimeoutError as error:
            return self._said(item, f"It is in use: {error.message}.")
        except SessionStoreError as error:
            if stops_all(error):
                raise
            return Record("failed", now_ms(), item.id, message=refusal_of(error))

    def _said(self, item: PlannedItem, message: str) -> Record:
        return Record("skipped", now_ms(), item.id, message=message)

    def _is_there(self, item: PlannedItem) -> bool:
        return item.key is None or self._has(item.key)

    def _has(self, key: str) -> bool:
        try:
            return self.store.get(key) is not None
        except (CorruptEntryError, UnsafeFileError):
            return True

    # -- sessions ------------------------------------------------------------------------

    def _entry(self, item: PlannedItem, intent: Record) -> Record:
        assert item.key is not None
        version = self.version_of(item)
        if version is None:
            if why := self._why_busy(item):
                return self._said(item, why)
            keeper = self._keeper(item, intent.names)
            if not self.store.keeping(keeper).delete(item.key, if_match=item.stamp):
                return self._said(item, GONE)
            version = keeper.kept[-1]
        freed, held, said = self._move_files(item, intent.names, version)
        sizes = (stamp.partition(":")[0] for stamp in item.file_stamps)
        own = item.size_bytes - sum(int(size) for size in sizes if size.isdecimal())
        return Record(
            "done",
            now_ms(),
            item.id,
            intent.names,
            version.id,
            freed=own + freed,
            held=own + held,
            message=said,
        )

    def _why_busy(self, item: PlannedItem) -> str:
        for name, stamp in zip(item.files, item.file_stamps, strict=True):
            now = self.mover.stamp(name)
            if now is not None and now != stamp:
                return "Its transcript was written since the plan was made, so it was left."
            if now is not None and self.mover.is_locked(name):
                return "Its transcript is locked, a run may be writing it, so it was left."
        return ""

    def _move_files(
        self, item: PlannedItem, names: Names, version: Version
    ) -> tuple[int, int, str]:
        """Move the files that nobody else has; (bytes out of the store, of these held, words)."""
        freed, left = 0, []
        stamps = dict(zip(item.files, item.file_stamps, strict=True))
        why = self._why_files_stay(item, version) if names else ""
        for name, target in names:
            trouble = why or carried(self.mover, name, target, stamps.get(name))
            if trouble:
                left.append(f"{name} stays: {trouble}")
            elif target.startswith(OUT):
                freed += self.mover.size(name, target) or 0
        return freed, freed, " ".join(left)

    def _why_files_stay(self, item: PlannedItem, version: Version) -> str:
        keys_of = {} if self.look is None else self.look.keys_of
        owners = {key for name in item.files for key in keys_of.get(name, ())}
        for key in sorted(owners.union(item.shared_with) - {item.key}):
            if self._has(key):
                return "another session has it too, and that one is still there."
        assert item.key is not None
        fresh = self.store.get(item.key)
        old = version.entry or {}
        if fresh is not None and fresh.get("sessionId") == old.get("sessionId"):
            return "the session came back."
        return ""

    # -- fields --------------------------------------------------------------------------

    def _fields(self, item: PlannedItem) -> Record:
        assert item.key is not None
        version = self.version_of(item)
        if version is None:
            keeper = self._keeper(item, ())

            def change(entry: Entry | None) -> Entry | None:
                return None if entry is None else _without(entry, item.fields)

            kept = self.store.keeping(keeper)
            kept.update(item.key, change, create=False, if_match=item.stamp)
            if not keeper.kept:
                return self._said(item, "There is nothing left to take out.")
            version = keeper.kept[-1]
        before = version.entry or {}
        freed = len(encode(before)) - len(encode(_without(before, item.fields)))
        return Record("done", now_ms(), item.id, (), version.id, freed=freed, held=freed)

    # -- files ---------------------------------------------------------------------------

    def _blob(self, item: PlannedItem) -> Record:
        why = apply_blobs.retire(self.store, self.look, item)
        return self._said(item, why) if why else Record("done", now_ms(), item.id)

    def _file(self, item: PlannedItem, names: Names) -> Record:
        ((name, target),) = names
        if self.mover.size(name, target) is None:
            stamp = self.mover.stamp(name)
            if stamp is None:
                return self._said(item, GONE)
            if stamp != item.stamp or (why := self._why_used(name)):
                return self._said(item, MOVED if stamp != item.stamp else why)
            if not self.mover.move(name, target):
                return self._said(item, GONE)
        freed = item.size_bytes if target.startswith(OUT) and item.frees_bytes else 0
        held = item.size_bytes if target.startswith(OUT) else 0
        return Record("done", now_ms(), item.id, names, freed=freed, held=min(freed, held))

    def _why_used(self, name: str) -> str:
        if self.mover.is_locked(name):
            return "It is locked by now, so it was left."
        facts = None if self.look is None else self.look.files.get(name)
        if self.look is None or facts is None:
            return GONE
        is_claimed = facts.kind in ORPHANS or facts.kind == "blob"
        if is_claimed and facts.is_referenced:
            return "A session names it by now, so it was left."
        why = why_none_is_orphan(self.look) if is_claimed else ""
        return f"It was left: {why}." if why else ""

    # -- what an earlier attempt did -----------------------------------------------------

    def version_of(self, item: PlannedItem) -> Version | None:
        """The version that this item's change of its entry kept, if it was made."""
        assert item.key is not None
        for version in versions(self.store, item.key):
            if version.note.get("run") == self.run.id and version.note.get("item") == item.id:
                return version
        return None

    def _keeper(self, item: PlannedItem, names: Names) -> Keeper:
        note: dict[str, object] = {"run": self.run.id, "item": item.id}
        archived = [pair for pair in names if not pair[1].startswith(OUT)]
        if len(archived) == 1:  # what the undo of a session alone puts back as well
            note["transcript"] = list(archived[0])
        return Keeper(
            reason=self.run.reason or item.reason, by=self.run.by, action=ACTION, note=note
        )


def _without(entry: Entry, fields: tuple[str, ...]) -> Entry:
    return {name: value for name, value in entry.items() if name not in fields}
