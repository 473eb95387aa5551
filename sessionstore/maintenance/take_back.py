"""Taking a maintenance run back, item by item, without losing what was written since.

A session comes back from the version that was kept of it, merged with what is there now; files
are renamed back and never over anything. What cannot come back is told and stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection

from ..changes import now_ms
from ..editing import OverlapError
from ..errors import EntryNotFoundError, LockTimeoutError, SessionStoreError
from ..kept import Keeper
from ..store import Store, open_store
from ..versionfiles import read_version
from ..versions import undo
from . import apply_blobs
from .apply_files import Mover, refusal_of, stops_all
from .apply_items import Doer
from .plan_shapes import MaintenanceReport, PlannedItem, Progress
from .runs import RunFacts, one_at_a_time, opened_run, read_run
from .runs_journal import JournalFile, Record, State

_LOCK_S = 5.0


def take_back(
    store: Store,
    run_id: str,
    *,
    items: Collection[str] | None = None,
    by: str = "",
    progress: Progress | None = None,
    timeout: float = _LOCK_S,
) -> MaintenanceReport:
    """Take a run back, all of it or the items of these ids; the report has each with its outcome.

    ``taken-back``: it is as it was, what others wrote since included. Still ``done`` with a
    message: it could not come back, and why: somebody wrote the same fields, or has a file of
    that name. Asking twice does no harm. A run that was killed can be taken back as well; it is
    over then.

    Raises:
        EntryNotFoundError: there is no such run or item, or its time to be taken back has ended.
        LockTimeoutError: a maintenance run is at work here.
        StoreIOError: the disk refused. ``report`` says what came back; the same call goes on.
    """
    with one_at_a_time(store.paths, timeout=timeout):
        run = read_run(store.paths, run_id)
        _check(run, items)
        with (
            open_store(
                store.paths,
                durability="strict",
                timeout=timeout,
                gateway_lock_dir=store.gateway_lock_dir,
            ) as own,
            opened_run(store.paths, run_id) as fd,
        ):
            returning = _Returning(own, run, by)
            journal = JournalFile(f"the journal of the run {run_id}", dir_fd=fd)
            try:
                if not run.is_finished:
                    journal.add([Record("ended", now_ms())], sync=True)
                wanted = [one for one in run.plan.acting if items is None or one.id in items]
                for number, item in enumerate(reversed(wanted)):
                    if progress is not None:
                        progress(number, len(wanted), item.key or item.path or item.id)
                    journal.add(returning.records_of(item), sync=False)
                journal.add((), sync=True)
            except SessionStoreError as error:
                error.report = read_run(store.paths, run_id).report()
                raise
            finally:
                journal.close()
        return read_run(store.paths, run_id).report()


def _check(run: RunFacts, items: Collection[str] | None) -> None:
    if run.is_expired or now_ms() >= run.take_back_until_ms:
        raise EntryNotFoundError(
            f"the time to take the maintenance run {run.id} back has ended",
            hint="a backup may still have what it took away",
        )
    if items is not None and (unknown := set(items) - {one.id for one in run.plan.acting}):
        raise EntryNotFoundError(
            f"the run {run.id} has no item {sorted(unknown)[0]!r}",
            hint="choose from the items of its report",
        )


class _Returning:
    """Brings items of one run back."""

    def __init__(self, store: Store, run: RunFacts, by: str) -> None:
        self.store = store
        self.run = run
        self.by = by
        self.mover = Mover(store.paths, run.id)
        self.doer = Doer(store, run, self.mover, None)

    def records_of(self, item: PlannedItem) -> list[Record]:
        """Bring one item back; nothing for one that was not done, or is back already."""
        journal = self.run.journal
        back = journal.returns.get(item.id)
        if back is not None and back.state == "taken-back":
            return []
        outcome, records = journal.outcomes.get(item.id), list[Record]()
        if outcome is None:
            if (outcome := self._found_out(item)) is None:
                return []
            records.append(outcome)
        if outcome.state != "done":
            return records
        said, is_back = self._bring_back(item, outcome)
        state: State = "taken-back" if is_back else "not-taken-back"
        return [*records, Record(state, now_ms(), item.id, message=said)]

    def _found_out(self, item: PlannedItem) -> Record | None:
        """What a killed run did of an item, told by what is there; None: nothing."""
        intent = self.run.journal.intents.get(item.id)
        if intent is None:
            return None
        if item.kind == "value":
            was_done = apply_blobs.is_retired(self.store.paths, item)
            return Record("done", now_ms(), item.id) if was_done else None
        version = self.doer.version_of(item) if item.key is not None else None
        moved = [pair for pair in intent.names if self.mover.size(*pair) is not None]
        if version is None and not moved:
            return None
        version_id = "" if version is None else version.id
        return Record("done", now_ms(), item.id, intent.names, version_id)

    def _bring_back(self, item: PlannedItem, outcome: Record) -> tuple[str, bool]:
        try:
            if item.kind == "value":
                return apply_blobs.bring_back(self.store.paths, item)
            if outcome.version:
                version = read_version(self.store.paths, outcome.version)
                if version is not None and not self.run.kept(version, item):
                    return "The record of the run names what is not this item's.", False
                keeper = Keeper(by=self.by, action="undo", note={"undoes": outcome.version})
                undo(self.store.keeping(keeper), outcome.version)
            return self._files(item, outcome)
        except OverlapError as error:
            fields = ", ".join(ascii(one.name) for one in error.overlaps[:5])
            return f"It was written since, also in {fields}: choose by its own undo.", False
        except LockTimeoutError as error:
            return f"It is in use: {error.message}.", False
        except SessionStoreError as error:
            if stops_all(error):
                raise
            return refusal_of(error), False

    def _files(self, item: PlannedItem, outcome: Record) -> tuple[str, bool]:
        """Files of the item, each to where it was; a name that is taken stays taken."""
        trouble, lost = [], []
        for name, target in outcome.names:
            is_here = self.mover.stamp(name) is not None
            if self.mover.size(name, target) is None:
                if not is_here:
                    lost.append(f"{name} is neither here nor where it was moved to.")
            elif is_here:
                trouble.append(f"{name} is there again, so the one that was moved stays {target}.")
            else:
                self.mover.move_back(name, target)
        is_back = not trouble and (item.kind == "entry" or not lost)
        return " ".join(trouble + lost), is_back
