"""Undoing a migration: every session as it is now goes back into ``sessions.json``."""

from __future__ import annotations

import time

from ..errors import UnsupportedStoreError
from ..store import check_timeout
from .halfway import forget, halfway, is_complete, settle_rollback
from .rejoin import Rollback
from .resume import clear, leave, settle
from .shapes import Progress, RollbackPlan, RollbackReport
from .stopping import Stopped, stopping
from .wording import sessions as sessions_in_words
from .workspace import Workspace, as_store_error, one_run


def rollback(
    plan: RollbackPlan, *, progress: Progress | None = None, timeout: float = 30.0
) -> RollbackReport:
    """Undo a migration. ``timeout`` (seconds) bounds each wait for a lock.

    Killed anywhere, the next call finishes it; until then sessions are read from the directory.

    Raises:
        StalePlanError: sessions that the plan names moved since; nothing was changed.
        UnsupportedStoreError: there is nothing to roll back.
        SessionStoreError: nothing was changed, or it is finished by the next call.
    """
    began = time.monotonic()
    if not plan.possible:
        raise UnsupportedStoreError(
            plan.sentence, path=plan.paths.directory, hint="nothing was changed"
        )
    try:
        with one_run(plan.paths, timeout=check_timeout(timeout)) as work:
            finished = False
            try:
                report = _rolled_back(plan, work, stopping(progress), began)
                finished = True
            finally:
                leave(work, finished=finished)
            # The note goes last: as long as it is there, the next call knows what to clear up.
            work.remove()
            forget(work)
            return report
    except Stopped as stopped:
        raise stopped.error from None
    except OSError as error:
        raise as_store_error(error, plan.paths.store_path) from error


def _rolled_back(
    plan: RollbackPlan, work: Workspace, progress: Progress | None, began: float
) -> RollbackReport:
    half = halfway(work.paths)
    if half is not None and is_complete(work.paths):
        clear(work)
        return _report(plan, work, began, half.sessions, half.sha256, half.set_aside)
    settle_rollback(work)
    settle(work)
    run = Rollback(work, plan)
    run.stage(progress)
    run.switch()
    clear(work)
    count = len(run.sessions.data)
    return _report(plan, work, began, count, run.sha256, run.set_aside)


def _report(
    plan: RollbackPlan, work: Workspace, began: float, count: int, sha256: str, kept: str
) -> RollbackReport:
    words = (
        f"{sessions_in_words(count)} {'is' if count == 1 else 'are'} in {work.store_name} again; "
        f"the directory is kept as {kept}."
    )
    return RollbackReport(
        agent_id=plan.paths.agent_id,
        store_path=plan.paths.store_path,
        sentence=words,
        sessions=count,
        sha256=sha256,
        directory_kept=kept,
        findings=plan.findings,
        took_s=time.monotonic() - began,
        exclusive_s=work.exclusive_s,
    )
