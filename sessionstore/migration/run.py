"""Running plans: one store, or many of which none stops the others.

A run never trusts its plan about what is on disk: it collects again, and is never refused for
busy writers. Started again after any kind of death it ends as if it had not been interrupted.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..backing import Backing
from ..changes import now_ms
from ..databasefile import has_replaced_file
from ..errors import SessionStoreError, StoreIOError
from ..files import DEFAULT_MAX_BYTES
from ..layout import Terms
from ..quarantine import set_aside
from ..recording import reporter_of
from ..sqlitestore import read_only_error
from ..store import check_timeout, open_store
from .fresh import Done, Fresh, MovedError, Order
from .guarding import is_guard
from .halfway import is_complete, settle_rollback
from .merge import Merge
from .resume import clear, leave, live_marker, settle
from .shapes import MigrationPlan, MigrationReport, Outcome, Progress
from .sources import Collected, DirectoryState, classify, collect
from .stopping import Stopped, stopping
from .wording import sentence
from .workspace import Workspace, as_store_error, one_run, run_names

_TRIES = 4


def migrate(
    plan: MigrationPlan,
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
    gateway_lock_dir: Path | None = None,
    max_entry_bytes: int = DEFAULT_MAX_BYTES,
) -> MigrationReport:
    """Carry out a plan on one store. ``timeout`` (seconds) bounds each wait for a lock.

    What ``progress`` raises stops the run and leaves a store that it can be started on again;
    one that was not there yet is as it was before.

    Raises:
        SessionStoreError: with the report, whose outcome is ``failed``, as ``error.report``.
    """
    order = Order(
        guard=plan.guard,
        max_entry_bytes=max_entry_bytes,
        progress=stopping(progress),
        gateway_lock_dir=gateway_lock_dir,
    )
    began = _Began(plan, now_ms(), time.monotonic())
    try:
        done, work = _run(plan, order, check_timeout(timeout))
    except Stopped as stopped:
        raise stopped.error from None
    except OSError as error:
        wrapped = as_store_error(error, plan.paths.store_path)
        wrapped.report = began.failed(wrapped)
        raise wrapped from error
    except SessionStoreError as error:
        error.report = began.failed(error)
        raise
    return began.report(done, work)


def migrate_all(
    plans: Iterable[MigrationPlan],
    *,
    progress: Progress | None = None,
    timeout: float = 30.0,
    gateway_lock_dir: Path | None = None,
    max_entry_bytes: int = DEFAULT_MAX_BYTES,
) -> tuple[MigrationReport, ...]:
    """Carry out several plans, one after the other; one report each (requirement D22).

    Raises only what ``progress`` raises.
    """
    reports = []
    for plan in plans:
        try:
            report = migrate(
                plan,
                progress=progress,
                timeout=timeout,
                gateway_lock_dir=gateway_lock_dir,
                max_entry_bytes=max_entry_bytes,
            )
        except SessionStoreError as error:
            if not isinstance(error.report, MigrationReport):
                raise  # progress raised it
            report = error.report
        reports.append(report)
    return tuple(reports)


def _run(plan: MigrationPlan, order: Order, timeout: float) -> tuple[Done, Workspace | None]:
    if plan.outcome in ("missing", "skipped_empty", "skipped_invalid"):
        nothing = _nothing_to_do(plan, order)
        if nothing is not None:
            return nothing, None
    with one_run(plan.paths, timeout=timeout) as work:
        finished = False
        try:
            settle_rollback(work)
            remembered, findings = settle(work)
            done = _attempts(work, order, remembered)
            done.findings += findings
            done.guard = is_guard(work.paths)
            clear(work)
            finished = True
        finally:
            leave(work, finished=finished)
        return done, work


def _nothing_to_do(plan: MigrationPlan, order: Order) -> Done | None:
    """The end of a run that touches nothing; None when there is something to do after all."""
    if run_names(plan.paths) or is_complete(plan.paths):
        return None
    collected = collect(plan.paths, max_entry_bytes=order.max_entry_bytes, into_directory=False)
    return _untouched(collected, classify(plan.paths))


def _untouched(collected: Collected, state: DirectoryState) -> Done | None:
    if collected.rows or state in ("ours", "files"):
        return None
    outcome: Outcome = "missing"
    if collected.problem == "empty" and not collected.blocked:
        outcome = "skipped_empty"
    elif collected.problem or collected.sources or collected.blocked:
        outcome = "skipped_invalid"
    return Done(outcome, blocked=collected.blocked, findings=list(collected.findings))


def _attempts(work: Workspace, order: Order, remembered: dict[str, str]) -> Done:
    """Begin again where another program changed what kind of store it is."""
    for _ in range(_TRIES):
        try:
            return _attempt(work, order, remembered)
        except MovedError:
            leave(work, finished=False)
    raise StoreIOError(
        f"{work.directory_name} keeps changing under the run",
        path=work.paths.directory,
        hint="another program makes and removes it without locks; stop it, then try again",
    )


def _attempt(work: Workspace, order: Order, remembered: dict[str, str]) -> Done:
    paths = work.paths
    state = classify(paths)
    stays = state in ("ours", "files")
    collected = collect(paths, max_entry_bytes=order.max_entry_bytes, into_directory=stays)
    if not stays:
        done = _untouched(collected, state)
        if done is not None:
            return done
        if has_replaced_file(paths):
            raise read_only_error(paths)
        done = Fresh(work, order, state, collected).run()
    else:
        # A marker that is lost or damaged is written again, as by any writer (window W13).
        adopted = _adopt(work, order) if live_marker(paths) is None else 0
        done = Merge(work, order, collected, remembered).run()
        if adopted and done.outcome == "already":
            done.outcome, done.taken, done.in_place = "migrated", adopted, True
    _set_aside_leftovers(work, collected)
    return done


def _adopt(work: Workspace, order: Order) -> int:
    """Make a directory of PR 42186 ours as any writer would; how many sessions it has."""
    with open_store(work.paths, max_entry_bytes=order.max_entry_bytes) as store:
        count = len(store.keys())
    backing = Backing(
        work.paths,
        max_entry_bytes=order.max_entry_bytes,
        recorder=reporter_of(work.paths.sidecar),
        gateway_lock_dir=order.gateway_lock_dir,
    )
    try:
        terms = Terms("adopt", max(work.timeout, 1.0), "none")
        backing.write(lambda layout, left: None, terms)
    finally:
        backing.close()
    return count


def _set_aside_leftovers(work: Workspace, collected: Collected) -> None:
    for leftover in collected.leftovers:
        if leftover.will == "set aside":
            set_aside(
                work.paths.sidecar,
                work.staging,
                leftover.name,
                from_fd=work.home_fd,
                key=None,
                reason=leftover.what,
            )


@dataclass(frozen=True, slots=True)
class _Began:
    """When a run began, and what becomes of it in words."""

    plan: MigrationPlan
    at_ms: int
    at: float

    def report(self, done: Done, work: Workspace | None) -> MigrationReport:
        paths = self.plan.paths
        return MigrationReport(
            agent_id=paths.agent_id,
            store_path=paths.store_path,
            outcome=done.outcome,
            sentence=sentence(done, paths),
            run_id="" if work is None else work.run_id,
            taken=done.taken,
            equal=done.equal,
            verified=done.verified,
            blocked=done.blocked,
            findings=tuple(done.findings),
            source_kept=done.kept,
            source_sha256=done.sha256,
            guard=done.guard,
            started_ms=self.at_ms,
            took_s=time.monotonic() - self.at,
            exclusive_s=0.0 if work is None else work.exclusive_s,
            restaged=done.restaged,
        )

    def failed(self, error: SessionStoreError) -> MigrationReport:
        report = self.report(Done("failed"), None)
        words = f"The migration failed: {error.message}. No session was lost; it can be run again."
        return replace(report, sentence=words, error=error.message, hint=error.hint)
