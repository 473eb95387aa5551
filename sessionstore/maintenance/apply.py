"""Carrying out a maintenance plan: item by item under the writers' locks, killed or not.

Intents are on disk before anything is done, a few items at a time, and outcomes after. Started
again with the same plan, a run that was killed goes on where it was. Nothing is removed: entries
are kept as versions, files are renamed to archives or into the run's trash, and what of that may
go when the time to take back has ended goes by :func:`expire_runs`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..changes import now_ms
from ..errors import GatewayRunningError, SessionStoreError, StalePlanError
from ..locks.gateway import gateway_running
from ..paths import StorePaths
from ..sqlitestore import read_only_error
from ..store import Store, open_store
from ..versionfiles import KEPT_FOR_S
from .apply_files import Mover
from .apply_items import Doer
from .inventory import take
from .plan_records import digest_of
from .plan_shapes import MaintenancePlan, MaintenanceReport, PlannedItem, Progress
from .policy_values import DAY_S
from .runs import (
    RunFacts,
    one_at_a_time,
    opened_run,
    read_run,
    run_ids,
    runs,
)
from .runs_journal import JournalFile, Record
from .runs_making import create_run, new_run_id

TAKE_BACK_S = 30 * DAY_S
_AT_ONCE = 32
_LOCK_S = 5.0


def maintain(
    plan: MaintenancePlan,
    *,
    progress: Progress | None = None,
    take_back_s: float = TAKE_BACK_S,
    by: str = "",
    reason: str = "",
    run_id: str | None = None,
    timeout: float = _LOCK_S,
    gateway_lock_dir: str | os.PathLike[str] | None = None,
) -> MaintenanceReport:
    """Carry a plan out. What moved, was locked or went since it was made is skipped and told.

    Every item can be taken back (:func:`take_back`) until ``take_back_s`` from now. ``run_id``
    names the run, so that a job that is started again goes on with its own; without one, the
    unfinished run of an equal plan is gone on with, and a plan that was done is not done twice.
    ``timeout`` is how long one session's lock is waited for. Cost: two small files and a handful
    of syncs per session, one rename per file; a legacy store is rewritten once per session. It
    needs some room on the disk even where it makes some.

    Raises:
        StalePlanError: the plan was changed after it was made, or the run is one of another plan.
        GatewayRunningError: a legacy store beside a live gateway; nothing was changed since.
        LockTimeoutError: another maintenance run is at work here.
        UnsupportedStoreError: sessions are in OpenClaw's database by now.
        StoreIOError: the disk refused. ``report`` says what was done; the same call goes on.
        ValueError: ``take_back_s`` is negative or longer than versions are kept (90 days).
    """
    _check(plan, take_back_s)
    if not plan.acting:
        return MaintenanceReport("", plan, (), 0, 0, now_ms())
    lock_dir = None if gateway_lock_dir is None else Path(gateway_lock_dir)
    with (
        one_at_a_time(plan.paths, timeout=timeout),
        _opened(plan.paths, timeout, lock_dir) as store,
    ):
        if store.layout == "sqlite":
            raise read_only_error(plan.paths)
        _refuse_beside_gateway(store, lock_dir)
        run = _run_of(plan, run_id, take_back_s=take_back_s, by=by, reason=reason)
        if not run.is_finished:
            _carry_out(store, run, progress)
        return read_run(plan.paths, run.id).report()


def _check(plan: MaintenancePlan, take_back_s: float) -> None:
    if not 0 <= take_back_s <= KEPT_FOR_S:
        raise ValueError(f"take_back_s is from 0 to {KEPT_FOR_S} seconds, not {take_back_s!r}")
    if digest_of(plan.paths, plan.policy, plan.items) != plan.digest:
        raise StalePlanError(
            "the plan is not the one that its digest is of",
            path=plan.paths.store_path,
            hint="make the plan anew, and leave items out by `without`",
        )


@contextmanager
def _opened(paths: StorePaths, timeout: float, lock_dir: Path | None) -> Iterator[Store]:
    # Strict, since the journal tells of it as done.
    with open_store(
        paths, durability="strict", timeout=timeout, gateway_lock_dir=lock_dir
    ) as store:
        yield store


def _refuse_beside_gateway(store: Store, lock_dir: Path | None) -> None:
    """A legacy store's transcripts are a gateway's as well, which takes no lock of ours."""
    if store.layout != "legacy":
        return
    if (gateway := gateway_running(store.path, lock_dir=lock_dir)) is not None:
        raise GatewayRunningError(
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory",
            path=store.path,
            hint="stop the gateway, or let it do its own maintenance; nothing was changed",
        )


def _run_of(
    plan: MaintenancePlan, run_id: str | None, *, take_back_s: float, by: str, reason: str
) -> RunFacts:
    """The run to go on with, or a new one."""
    if run_id is None:
        for run in runs(plan.paths):
            if run.plan.digest == plan.digest and (not run.is_finished or _is_of(run, plan)):
                return run
        run_id = new_run_id()
    elif run_id in run_ids(plan.paths):
        run = read_run(plan.paths, run_id)
        if run.plan.digest != plan.digest:
            raise StalePlanError(
                f"the run {run_id} is one of another plan",
                path=plan.paths.store_path,
                hint="go on with its own plan, or begin a run of another id",
            )
        return run
    create_run(plan, run_id, take_back_s=take_back_s, by=by, reason=reason)
    return read_run(plan.paths, run_id)


def _is_of(run: RunFacts, plan: MaintenancePlan) -> bool:
    """Whether a finished run did this very plan, and all of that still stands."""
    return run.plan.made_at_ms == plan.made_at_ms and not run.journal.returns


def _carry_out(store: Store, run: RunFacts, progress: Progress | None) -> None:
    items = run.plan.acting
    left = [item for item in items if item.id not in run.journal.outcomes]
    needs_look = any(item.files or item.kind not in ("entry", "field") for item in left)
    doer = Doer(store, run, Mover(store.paths, run.id), take(store) if needs_look else None)
    with opened_run(store.paths, run.id) as fd:
        journal = JournalFile(f"the journal of the run {run.id}", dir_fd=fd)
        try:
            done = len(items) - len(left)
            for start in range(0, len(left), _AT_ONCE):
                some = left[start : start + _AT_ONCE]
                _some(doer, some, journal, progress, (done + start, len(items)))
            journal.add([Record("ended", now_ms())], sync=True)
        except SessionStoreError as error:
            error.report = read_run(store.paths, run.id).report()
            raise
        finally:
            journal.close()


def _some(
    doer: Doer,
    items: list[PlannedItem],
    journal: JournalFile,
    progress: Progress | None,
    place: tuple[int, int],
) -> None:
    """Do a few items, whose intents one sync makes durable."""
    known = doer.run.journal.intents
    intents = {item.id: known.get(item.id) or doer.intent(item) for item in items}
    journal.add([one for one in intents.values() if one.item not in known], sync=True)
    done, total = place
    for number, item in enumerate(items):
        if progress is not None:
            progress(done + number, total, item.key or item.path or item.id)
        journal.add([doer.do(item, intents[item.id])], sync=False)
    if progress is not None:
        progress(done + len(items), total, "")
