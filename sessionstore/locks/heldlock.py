"""What the held-lock view shows of one lock: who, since when, and how we know."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..files import io_error
from .identity import Identity, own_identity, started_at_ms
from .legacypayload import judge, legacy_lock_path, read_legacy_file
from .probing import KernelLock
from .procfs import OpenLocks, command_of
from .slots import Slot
from .tables import LiveTable

Scope = Literal["session", "store", "legacy", "transcript"]
Verdict = Literal[
    "alive",
    "over-limit",
    "owner-gone",
    "pid-reused",
    "other-host",
    "unreadable",
    "leftover",
    "unexplained",
]
Published = tuple[LiveTable, Slot]


@dataclass(frozen=True, slots=True)
class Waiter:
    """A call that waits for a lock."""

    host: str
    pid: int
    program: str
    operation: str
    since_ms: int
    waited_s: float
    timeout_s: float
    container: str = ""

    @property
    def left_s(self) -> float:
        """Seconds until it gives up; negative once it should have."""
        return self.timeout_s - self.waited_s


@dataclass(frozen=True, slots=True)
class HeldLock:
    """One lock that is held. ``key`` is None for the store and for an unknown session.

    ``evidence`` speaks for the verdict, ``against`` against it. ``limit_s`` is how long its holder
    may keep it, by its own word or by its program's rules; None where nothing says so. ``path`` is
    the file that it is on. ``id`` names this holding of it, and no later one, in addresses.
    """

    key: str | None
    scope: Scope
    host: str
    pid: int
    started_at_ms: int
    program: str
    operation: str
    since_ms: int
    held_s: float
    waiters: tuple[Waiter, ...]
    verdict: Verdict
    evidence: tuple[str, ...]
    against: tuple[str, ...] = ()
    limit_s: float | None = None
    path: str = ""
    id: str = ""
    container: str = ""

    @property
    def is_proven_dead(self) -> bool:
        """Whether it may be cleared: a lock file whose owner is proven to be gone."""
        is_file = self.scope in ("legacy", "transcript")
        return is_file and self.verdict in ("owner-gone", "pid-reused", "leftover")


def waiter_of(pair: Published) -> Waiter:
    identity, slot = pair[0].identity, pair[1]
    return Waiter(
        host=identity.host,
        pid=identity.pid,
        program=identity.program,
        operation=slot.operation,
        since_ms=slot.since_ns // 1_000_000,
        waited_s=_age_s(slot.since_ns / 1e9),
        timeout_s=slot.timeout_s,
    )


def confirmed(pair: Published, waiters: tuple[Waiter, ...]) -> HeldLock:
    table, slot = pair
    sentences = [
        "The kernel confirms the lock.",
        "Its process keeps its live table locked, so it runs.",
    ]
    if table.identity.pid_namespace != own_identity().pid_namespace:
        sentences.append("The process number is that of another container.")
    if slot.is_cut:
        sentences.append("The key is longer than the live table shows.")
    if table.header.overflow:
        sentences.append("This process holds or awaits more locks than its table shows.")
    return _held_lock(table.identity, slot, waiters, "alive", tuple(sentences))


def elsewhere(pair: Published) -> HeldLock:
    table, slot = pair
    evidence = (
        f"Published by a process on {table.identity.host}; from here it cannot be confirmed.",
    )
    return _held_lock(table.identity, slot, (), "other-host", evidence)


def _held_lock(
    identity: Identity,
    slot: Slot,
    waiters: tuple[Waiter, ...],
    verdict: Verdict,
    evidence: tuple[str, ...],
) -> HeldLock:
    return HeldLock(
        key=slot.key,
        scope="store" if slot.key is None else "session",
        host=identity.host,
        pid=identity.pid,
        started_at_ms=identity.started_at_ms,
        program=identity.program,
        operation=slot.operation,
        since_ms=slot.since_ns // 1_000_000,
        held_s=_age_s(slot.since_ns / 1e9),
        waiters=waiters,
        verdict=verdict,
        evidence=evidence,
    )


def _age_s(since_s: float) -> float:
    return max(time.time() - since_s, 0.0)


def unexplained(lock: KernelLock, waiters: tuple[Waiter, ...], open_locks: OpenLocks) -> HeldLock:
    """A lock that no live table names: another program's, or one with an overfull table."""
    pids = open_locks.pids(lock)
    pid = pids[0] if pids else 0
    sentences = ["The kernel reports the lock, and no live table names its holder."]
    if pids:
        sentences.append(
            "Found by its open files: process " + ", ".join(str(number) for number in pids) + "."
        )
    else:
        sentences.append(
            "No process that we may look into has it: it is another user's or container's."
        )
    now_ms = int(time.time() * 1000)
    return HeldLock(
        key=None,
        scope="store" if lock.is_store else "session",
        host=own_identity().host if pids else "",
        pid=pid,
        started_at_ms=started_at_ms(pid) if pids else 0,
        program=command_of(pid) if pids else "",
        operation="",
        since_ms=now_ms,
        held_s=0.0,
        waiters=waiters,
        verdict="unexplained",
        evidence=tuple(sentences),
    )


def legacy_lock(store_path: Path) -> HeldLock | None:
    """OpenClaw's own lock on the store file, None when there is none."""
    path = legacy_lock_path(store_path)
    try:
        found = read_legacy_file(path)
    except OSError as error:
        raise io_error("read", path, error) from error
    if found is None:
        return None
    verdict, evidence = judge(found)
    runs = found.pid is not None and verdict == "alive"
    return HeldLock(
        key=None,
        scope="legacy",
        host=own_identity().host,
        pid=found.pid or 0,
        started_at_ms=started_at_ms(found.pid) if runs and found.pid else 0,
        program=command_of(found.pid) if runs and found.pid else "",
        operation="",
        since_ms=found.since_ms,
        held_s=_age_s(found.since_ms / 1000),
        waiters=(),
        verdict=verdict,
        evidence=(*evidence, "The file names no host: a process elsewhere cannot be told."),
    )
