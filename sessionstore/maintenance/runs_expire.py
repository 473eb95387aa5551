"""Letting go of what could be taken back, once its time has ended: the only removal there is."""

from __future__ import annotations

from collections.abc import Callable

from ..changes import now_ms as clock_ms
from ..errors import CorruptStoreError, UnsafeFileError
from ..files import close_directory, list_names, open_below, open_directory, remove_tree
from ..paths import StorePaths
from ..versionfiles import begun_name, done_name, folder_of, read_version, remove_one
from .plan_shapes import PlannedItem
from .policy_values import DAY_S
from .runs import FOLDER, TRASH, RunFacts, one_at_a_time, opened_run, runs
from .runs_journal import JournalFile, Record

RECORD_KEPT_S = 365 * DAY_S


def expire_runs(
    paths: StorePaths,
    *,
    now_ms: int | None = None,
    timeout: float = 5.0,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Remove for good what runs moved away whose time to be taken back has ended.

    Their trash, and the versions that they kept. Returns the bytes that are free now, by run.
    A run's record stays for a year more. Killed in between, the next call ends it. To be called
    now and then, by a chore; nothing else removes anything.

    Raises:
        LockTimeoutError: a maintenance run is at work here.
        StoreIOError: the disk refused; what is left goes with the next call.
    """
    now = clock_ms() if now_ms is None else now_ms
    freed: dict[str, int] = {}
    with one_at_a_time(paths, timeout=timeout):
        for run in runs(paths):
            if stop():
                break
            if not run.is_expired and run.take_back_until_ms <= now:
                freed[run.id] = _expire(paths, run)
            elif run.is_expired and now - run.take_back_until_ms > RECORD_KEPT_S * 1000:
                _remove_record(paths, run.id)
    return freed


def _expire(paths: StorePaths, run: RunFacts) -> int:
    held = run.report().held_bytes
    with opened_run(paths, run.id) as fd:
        _empty_trash(fd)
        _remove_versions(paths, run)
        journal = JournalFile(f"the journal of the run {run.id}", dir_fd=fd)
        try:
            if not run.is_finished:
                journal.add([Record("ended", clock_ms())], sync=False)
            journal.add([Record("expired", clock_ms(), freed=held)], sync=True)
        finally:
            journal.close()
    return held


def _empty_trash(run: int) -> None:
    try:
        trash = open_directory(TRASH, dir_fd=run)
    except FileNotFoundError:
        return  # somebody removed it to have room
    try:
        for name in list_names(trash):
            remove_tree(name, dir_fd=trash)
    finally:
        close_directory(trash)


def _remove_versions(paths: StorePaths, run: RunFacts) -> None:
    for item in run.plan.acting:
        outcome = run.journal.outcomes.get(item.id)
        if item.key is None or outcome is None or not _is_own(paths, run, item, outcome.version):
            continue
        try:
            fd = open_directory(folder_of(paths, item.key))
        except FileNotFoundError:
            continue  # swept already
        try:
            for name in (done_name(outcome.version), begun_name(outcome.version)):
                remove_one(fd, name)
        finally:
            close_directory(fd)


def _is_own(paths: StorePaths, run: RunFacts, item: PlannedItem, version_id: str) -> bool:
    try:
        version = read_version(paths, version_id)
    except (CorruptStoreError, UnsafeFileError):
        return False  # whose it is cannot be told; it goes as versions go, by its age
    return version is not None and run.kept(version, item)


def _remove_record(paths: StorePaths, run_id: str) -> None:
    fd = open_below(paths.sidecar, FOLDER)
    try:
        remove_tree(run_id, dir_fd=fd)
    finally:
        close_directory(fd)
