"""Kernel locks as the held-lock view shows them: published in live tables, or unexplained."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .heldlock import HeldLock, Verdict, Waiter
from .identity import Identity
from .neighbours import Neighbours
from .probing import KernelLock
from .procfs import OpenLocks
from .shown import age_s, duration, holding_id, limit_of, plain, plain_path, seconds
from .shown import within_calendar as calendar
from .slots import Slot
from .tables import LiveTable

Published = tuple[LiveTable, Slot]


def waiter_of(pair: Published, neighbours: Neighbours) -> Waiter:
    """A call that waits, as its live table says."""
    identity, slot = pair[0].identity, pair[1]
    return Waiter(
        host=plain(identity.host),
        pid=identity.pid,
        program=plain(identity.program),
        operation=plain(slot.operation),
        since_ms=calendar(slot.since_ns // 1_000_000),
        waited_s=age_s(slot.since_ns / 1e9),
        timeout_s=seconds(slot.timeout_s),
        container=_container(pair[0], neighbours),
    )


def confirmed(
    pair: Published, lock: KernelLock, waiters: tuple[Waiter, ...], neighbours: Neighbours
) -> HeldLock:
    """A hold that the kernel confirms."""
    table, slot = pair
    evidence = [
        "The kernel confirms the lock.",
        "Its process keeps its live table locked, so it runs.",
    ]
    if table.identity.pid_namespace != neighbours.own.pid_namespace:
        evidence.append("The process number is that of another container.")
    if slot.is_cut:
        evidence.append("The key is longer than the live table shows.")
    if table.header.overflow:
        evidence.append("This process holds or awaits more locks than its table shows.")
    limit_s, held_s = limit_of(slot.timeout_s), age_s(slot.since_ns / 1e9)
    verdict: Verdict = "alive"
    if limit_s is not None and held_s > limit_s:
        verdict = "over-limit"
        evidence.append(
            f"It has held the lock for {duration(held_s)}; the call's own timeout of "
            f"{limit_s:g} s was to cover waiting, lock and work."
        )
    return _held_lock(pair, lock, waiters, verdict, evidence, (), neighbours)


def elsewhere(pair: Published, path: str, neighbours: Neighbours) -> HeldLock:
    """A hold that a process of another machine publishes."""
    host = plain(pair[0].identity.host)
    evidence = (f"Published by a process on {host}; from here it cannot be confirmed.",)
    against = ("The table may be what a process of that machine left: its lock is not seen here.",)
    return _held_lock(pair, path, (), "other-host", evidence, against, neighbours)


def unexplained(
    lock: KernelLock, waiters: tuple[Waiter, ...], open_locks: OpenLocks, neighbours: Neighbours
) -> HeldLock:
    """A lock that no live table names: another program's, or one with an overfull table."""
    pids = open_locks.pids(lock)
    pid = pids[0] if pids else 0
    evidence = ["The kernel reports the lock, and no live table names its holder."]
    against: tuple[str, ...] = ()
    if pids:
        names = ", ".join(str(number) for number in pids[:8])
        evidence.append(f"Found by its open files: process {names}.")
        against = ("Since when it is held cannot be told: it is seen now.",)
    else:
        evidence.append(
            "No process that we may look into has it: it is another user's or container's."
        )
    started, program = neighbours.who(pid) if pids else (0, "")
    return HeldLock(
        key=None,
        scope="store" if lock.is_store else "session",
        host=neighbours.own.host if pids else "",
        pid=pid,
        started_at_ms=started,
        program=program,
        operation="",
        since_ms=int(time.time() * 1000),
        held_s=0.0,
        waiters=waiters,
        verdict="unexplained",
        evidence=tuple(evidence),
        against=against,
        path=plain_path(lock.path),
        id=holding_id("unexplained", lock.path, lock.offset & 0xFF, pid, started),
        container=neighbours.container_of(pid) if pids else "",
    )


def _held_lock(
    pair: Published,
    lock: KernelLock | str,
    waiters: tuple[Waiter, ...],
    verdict: Verdict,
    evidence: Sequence[str],
    against: tuple[str, ...],
    neighbours: Neighbours,
) -> HeldLock:
    table, slot = pair
    identity = table.identity
    return HeldLock(
        key=slot.key,
        scope="store" if slot.key is None else "session",
        host=plain(identity.host),
        pid=identity.pid,
        started_at_ms=calendar(identity.started_at_ms),
        program=plain(identity.program),
        operation=plain(slot.operation),
        since_ms=calendar(slot.since_ns // 1_000_000),
        held_s=age_s(slot.since_ns / 1e9),
        waiters=waiters,
        verdict=verdict,
        evidence=tuple(evidence),
        against=against,
        limit_s=limit_of(slot.timeout_s),
        path=lock if isinstance(lock, str) else plain_path(lock.path),
        id=_id(identity, slot),
        container=_container(table, neighbours),
    )


def _id(identity: Identity, slot: Slot) -> str:
    # Eight bits of the lock's byte tell two holds of one instant apart and no key apart.
    whose = (identity.host, identity.boot_id, identity.pid_namespace, identity.pid, identity.start)
    return holding_id(*whose, slot.since_ns, slot.offset & 0xFF)


def _container(table: LiveTable, neighbours: Neighbours) -> str:
    if table.owner != "alive":
        return ""
    identity = table.identity
    return neighbours.container_of_owner(identity.pid_namespace, identity.pid, identity.start)
