"""The folders of maintenance runs: the plan, its journal, and what can still be taken back.

``<sidecar>/maintenance/<run id>/`` has ``plan.json``, ``journal`` and ``trash/``. Nothing in it is
ever reached through a link. A run's folder stays, as a record, for a year after it expired.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ..entries import NotAnEntryError, decode
from ..errors import CorruptStoreError, EntryNotFoundError, UnsafeFileError
from ..files import close_directory, list_names, open_below, open_directory, read_file
from ..locks.alone import alone
from ..paths import StorePaths
from ..versionfiles import Version
from .plan_records import from_record
from .plan_shapes import ItemResult, MaintenancePlan, MaintenanceReport, PlannedItem
from .runs_journal import Journal, read_journal

FOLDER = "maintenance"
LOCK_NAME = "maintenance"
TRASH = "trash"

PLAN = "plan.json"
_LARGEST = 1 << 30
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run was asked to do, and what its journal says."""

    id: str
    plan: MaintenancePlan
    started_ms: int
    take_back_until_ms: int
    by: str
    reason: str
    journal: Journal

    @property
    def is_finished(self) -> bool:
        """Whether it came to its end; else it can be started again."""
        return self.journal.ended is not None

    @property
    def is_expired(self) -> bool:
        """Whether what could be taken back is gone."""
        return self.journal.expired is not None

    def kept(self, version: Version, item: PlannedItem) -> bool:
        """Whether this item's change kept that version: a journal says what anybody wrote there."""
        note = version.note
        return (version.key, note.get("run"), note.get("item")) == (item.key, self.id, item.id)

    def report(self) -> MaintenanceReport:
        """What the run has done so far, and what of it was taken back."""
        results = tuple(
            self._result(item.id) for item in self.plan.acting if item.id in self.journal.outcomes
        )
        done = [
            one
            for one in self.journal.outcomes.values()
            if one.state == "done" and not self._is_back(one.item)
        ]
        return MaintenanceReport(
            run_id=self.id,
            plan=self.plan,
            results=results,
            predicted_bytes=self.plan.frees_bytes,
            achieved_bytes=sum(one.freed for one in done),
            take_back_until_ms=self.take_back_until_ms,
            held_bytes=0 if self.is_expired else sum(one.held for one in done),
        )

    def _is_back(self, item: str) -> bool:
        found = self.journal.returns.get(item)
        return found is not None and found.state == "taken-back"

    def _result(self, item: str) -> ItemResult:
        outcome = self.journal.outcomes[item]
        returned = self.journal.returns.get(item)
        message = outcome.message if returned is None else returned.message
        if self._is_back(item):
            return ItemResult(item, "taken-back", message)
        assert outcome.state in ("done", "skipped", "failed")
        return ItemResult(item, outcome.state, message, outcome.freed)


@contextmanager
def one_at_a_time(paths: StorePaths, *, timeout: float) -> Iterator[None]:
    """The only maintenance of this store.

    Raises:
        LockTimeoutError: another run, or its being taken back, took longer.
    """
    with alone(paths.sidecar, LOCK_NAME, timeout=timeout):
        yield


def run_ids(paths: StorePaths) -> list[str]:
    """Ids of the runs of a store, oldest first. Lists one folder."""
    try:
        fd = open_below(paths.sidecar, FOLDER)
    except FileNotFoundError:
        return []
    try:
        return sorted(name for name in list_names(fd) if RUN_ID.fullmatch(name))
    finally:
        close_directory(fd)


def read_run(paths: StorePaths, run_id: str) -> RunFacts:
    """One run by its id. Reads two files.

    Raises:
        EntryNotFoundError: there is none, or its record is gone by now.
        CorruptStoreError: its record is damaged.
    """
    with opened_run(paths, run_id) as fd:
        return _read(paths, run_id, fd)


def runs(paths: StorePaths) -> list[RunFacts]:
    """All runs of a store, newest first; what is none, or has a damaged record, is left out."""
    found = []
    for run_id in reversed(run_ids(paths)):
        # why: one damaged record must not hide the others; `read_run` tells of it
        with suppress(CorruptStoreError, EntryNotFoundError, UnsafeFileError):
            found.append(read_run(paths, run_id))
    return sorted(found, key=lambda one: (one.started_ms, one.id), reverse=True)


def _read(paths: StorePaths, run_id: str, fd: int) -> RunFacts:
    try:
        body = decode(read_file(PLAN, dir_fd=fd, max_bytes=_LARGEST))
        return RunFacts(
            id=run_id,
            plan=from_record(paths, body["plan"]),
            started_ms=int(body["started_ms"]),
            take_back_until_ms=int(body["take_back_until_ms"]),
            by=str(body["by"]),
            reason=str(body["reason"]),
            journal=read_journal(dir_fd=fd),
        )
    except FileNotFoundError as error:
        raise no_run(run_id) from error
    except (NotAnEntryError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, CorruptStoreError):
            raise
        raise CorruptStoreError(
            f"the record of the maintenance run {run_id} is damaged",
            path=paths.sidecar / FOLDER / run_id,
            hint="its files are still in its trash folder; move them back by hand",
        ) from error


@contextmanager
def opened_run(paths: StorePaths, run_id: str) -> Iterator[int]:
    """The open folder of a run.

    Raises:
        EntryNotFoundError: there is none of this id.
    """
    if not RUN_ID.fullmatch(run_id):
        raise no_run(run_id)
    try:
        root = open_below(paths.sidecar, FOLDER)
        try:
            fd = open_directory(run_id, dir_fd=root)
        finally:
            close_directory(root)
    except FileNotFoundError as error:
        raise no_run(run_id) from error
    try:
        yield fd
    finally:
        close_directory(fd)


def no_run(run_id: str) -> EntryNotFoundError:
    """The error that there is no such run."""
    return EntryNotFoundError(
        f"there is no maintenance run {run_id!r} any more",
        hint="the record of a run is kept for a year after it can no longer be taken back",
    )
