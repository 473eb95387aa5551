"""Carrying out a restore plan in the store that it was made for.

First what is there is kept: sessions and fields as versions, which undo takes back; a whole store
as an automatic backup. Refused where a named session moved since the plan.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from ..backing import Backing
from ..errors import Finding, StalePlanError
from ..kept import Keeper
from ..layout import Terms, detect_layout
from ..recording import reporter_of
from ..sqlitestore import read_only_error
from ..store import Store, check_timeout, open_store
from .create import create_backup
from .places import default_root
from .reading import Archive, open_archive
from .restore_checks import check_unmoved, is_done, look, refuse_moved, states
from .restore_replaced import settle, settle_left_runs
from .restore_runs import Run, one_run
from .restore_selection import restore_fields, restore_sessions
from .restore_switch import Whole
from .restore_transcripts import missing_beside, staged_transcripts, transcripts_of
from .restore_whole import restore_whole
from .shapes import Backup, Progress, RestorePlan, RestoreReport


@dataclass(slots=True)
class _Work:
    """One restore at work, and what it did so far."""

    plan: RestorePlan
    run: Run
    store: Store
    backing: Backing
    archive: Archive
    keeper: Keeper
    root: Path | None
    timeout: float
    gateway_lock_dir: Path | None
    progress: Progress | None
    started: float
    sessions: int = 0
    transcripts: int = 0
    verified: int = 0
    exclusive_s: float = 0.0
    replaced: Backup | None = None
    moved: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def restore(
    plan: RestorePlan,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    timeout: float = 30.0,
    by: str = "",
    reason: str = "",
    gateway_lock_dir: Path | None = None,
) -> RestoreReport:
    """Carry a plan out in place. Run again after a kill at any moment, it ends the same.

    Sessions and fields are changed one by one under their locks, with a version of each. For the
    whole store, a backup of what is there is taken first (below ``root``, by default where this
    store's backups are); then everything is staged beside it, read back and swapped in with one
    rename in exclusive mode. Of the old directory only stays what that backup does not hold.
    Transcripts that are missing are put back; none is written over.

    Raises:
        StalePlanError: a named session moved since the plan; ``report`` says what was done by
            then, which for a whole store is nothing.
        GatewayRunningError: a ``sessions.json`` beside a running gateway.
        LockTimeoutError: a lock, or another restore's turn, was not to be had in ``timeout`` s.
        UnsafeBackupError, DamagedBackupError: the archive is refused or cannot be read.
        UnsupportedStoreError: the sessions are in OpenClaw's database.
        StoreIOError: the disk refused.
    """
    started = time.monotonic()
    check_timeout(timeout)
    if detect_layout(plan.paths) == "sqlite":
        raise read_only_error(plan.paths)
    store = open_store(
        plan.paths,
        durability="strict",
        timeout=timeout,
        max_entry_bytes=plan.max_entry_bytes,
        gateway_lock_dir=gateway_lock_dir,
    )
    backing = Backing(
        plan.paths,
        max_entry_bytes=plan.max_entry_bytes,
        recorder=reporter_of(plan.paths.sidecar),
        gateway_lock_dir=gateway_lock_dir,
    )
    keeper = Keeper(reason=reason, by=by, action="restore", note={"backup": plan.backup.id})
    try:
        with (
            store,
            open_archive(plan.backup) as archive,
            one_run(plan.paths, timeout=timeout) as run,
        ):
            work = _Work(
                plan,
                run,
                store,
                backing,
                archive,
                keeper,
                root,
                timeout,
                gateway_lock_dir,
                progress,
                started,
            )
            return _carry_out(work)
    finally:
        backing.close()


def _carry_out(work: _Work) -> RestoreReport:
    if work.archive.manifest.id != work.plan.backup.id:
        raise StalePlanError(
            f"{work.archive.path.name} is another backup than the plan's",
            path=work.archive.path,
            hint="plan again",
        )
    work.findings += settle_left_runs(work.run)
    if work.plan.whole_store:
        _restore_everything(work)
    else:
        _restore_some(work)
    report = _report(work)
    if work.moved:
        try:
            refuse_moved(work.moved, "these were left as they are, all others are restored")
        except StalePlanError as error:
            error.report = report
            raise
    return report


def _restore_everything(work: _Work) -> None:
    plan = work.plan
    if detect_layout(plan.paths) == "directory":
        # Adopts a directory that is not ours yet: afterwards every name tells its key.
        work.backing.write(lambda layout, left: None, Terms("restore", work.timeout, "strict"))
    now = states(look(work.backing))
    if is_done(plan, now):
        work.sessions = work.verified = len(plan.unchanged + plan.changed + plan.created)
        work.transcripts = _put_back_transcripts(work, None)
        return
    check_unmoved(plan, now)
    if detect_layout(plan.paths) != "empty":
        work.replaced = create_backup(
            work.store,
            root=work.root or default_root(plan.paths),
            reason="before restore",
            by=work.keeper.by,
        )
    work.transcripts = _put_back_transcripts(work, None)
    switched = restore_whole(
        Whole(
            plan,
            work.archive,
            work.backing,
            work.run,
            work.replaced,
            work.timeout,
            work.gateway_lock_dir,
            work.progress,
        )
    )
    work.sessions, work.verified = switched.sessions, switched.verified
    work.exclusive_s = switched.exclusive_s
    work.findings += [*switched.findings, *settle(work.run)]


def _restore_some(work: _Work) -> None:
    plan = work.plan
    if plan.fields is not None:
        selected = restore_fields(plan, work.store, work.keeper)
    else:
        ids = {plan.after[key].get("sessionId") for key in (*plan.changed, *plan.created)}
        work.transcripts = _put_back_transcripts(work, ids)
        selected = restore_sessions(
            plan,
            work.archive,
            work.backing,
            work.keeper,
            terms=Terms("restore", work.timeout, "strict", heal=True),
            progress=work.progress,
        )
    work.moved = selected.moved
    work.sessions = len(selected.done)
    work.verified = selected.verified


def _put_back_transcripts(work: _Work, session_ids: set[object] | None) -> int:
    """Only those that have no file now: a transcript that is there is newer than any backup."""
    wanted = missing_beside(work.run, transcripts_of(work.archive, session_ids))
    if not wanted:
        return 0
    with staged_transcripts(work.archive, work.run, wanted) as staged:
        work.findings += staged.problems
        return staged.place()


def _report(work: _Work) -> RestoreReport:
    plan = work.plan
    what = "fields of 1 session" if plan.fields else f"{work.sessions} sessions"
    kept = "" if work.replaced is None else f"; what was there before is in {work.replaced.id}"
    return RestoreReport(
        sentence=f"{what} restored, {work.verified} read back and equal{kept}",
        target=plan.paths.store_path,
        sessions=work.sessions,
        transcripts=work.transcripts,
        verified=work.verified,
        replaced_backup=None if work.replaced is None else work.replaced.id,
        versions=tuple(work.keeper.ids),
        findings=(*work.findings, *_damaged(plan)),
        took_s=time.monotonic() - work.started,
        exclusive_s=work.exclusive_s,
    )


def _damaged(plan: RestorePlan) -> list[Finding]:
    return [one for one in plan.findings if one.rule == "damaged-backup"]
