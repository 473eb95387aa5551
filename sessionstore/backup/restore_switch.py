"""What a whole restore works with, and what both layouts do on the way to the switch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..backing import Backing
from ..errors import Finding, StalePlanError
from .reading import Archive
from .restore_checks import goal_of
from .restore_runs import Run
from .restore_source import Taken
from .shapes import Backup, Progress, RestorePlan


@dataclass(slots=True)
class Switched:
    """What a whole restore did."""

    sessions: int = 0
    verified: int = 0
    exclusive_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Whole:
    """What a whole restore works with. ``gateway_lock_dir`` as in ``open_store``."""

    plan: RestorePlan
    archive: Archive
    backing: Backing
    run: Run
    replaced: Backup | None
    timeout: float
    gateway_lock_dir: Path | None
    progress: Progress | None


def wanted_of(plan: RestorePlan) -> set[str]:
    """The sessions that are taken from the archive."""
    return {*plan.unchanged, *plan.changed, *plan.created}


def check_taken(plan: RestorePlan, taken: Taken) -> None:
    """Refuse an archive that no longer holds what the plan shows.

    Raises:
        StalePlanError: names the sessions.
    """
    goal = goal_of(plan)
    wrong = [key for key in sorted(wanted_of(plan)) if taken.states.get(key) != goal[key]]
    if wrong:
        raise StalePlanError(
            f"the backup {plan.backup.id} no longer holds {len(wrong)} sessions as the plan shows "
            f"them, among them {wrong[0][:80]!a}",
            keys=tuple(wrong),
            path=plan.backup.path,
            hint="verify the backup and plan again; nothing was changed",
        )


@contextmanager
def exclusive(whole: Whole, switched: Switched) -> Iterator[None]:
    """Be alone with the store; how long that was, in seconds, is added to ``switched``.

    Raises:
        LockTimeoutError: it was not to be had in time.
    """
    locks = whole.backing.locks
    hold = locks.acquire_exclusive("restore", whole.timeout)
    try:
        yield
    finally:
        locks.release(hold)
        switched.exclusive_s += (time.perf_counter_ns() - hold.acquired_ns) / 1e9
