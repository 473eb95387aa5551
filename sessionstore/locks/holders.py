"""Who holds and who awaits the locks of a store, for an operator.

The kernel says what is locked, the live tables say by whom and since when. A hold that the
kernel does not confirm is over; a lock that no table explains is looked for in ``/proc``.
Nothing is changed but that the tables of dead processes are swept, and nothing is waited for.
"""

from __future__ import annotations

import time
from pathlib import Path

from .heldlock import (
    HeldLock,
    Published,
    confirmed,
    elsewhere,
    legacy_lock,
    unexplained,
    waiter_of,
)
from .hold import STORE_OFFSET
from .probing import KernelLock, locked_now
from .slots import Slot
from .tables import LiveTable, read_tables

_LOOKS = 6
_PAUSE_S = 0.005


def held_locks(sidecar: Path, *, store_path: Path | None = None) -> list[HeldLock]:
    """All locks held on a store, the longest held first, with who waits for each.

    ``store_path`` adds OpenClaw's ``sessions.json.lock``. A lock that comes or goes while we
    look may be missing.
    """
    tables, kernel = _look(sidecar)
    published = [(table, slot) for table in tables for slot in table.slots]
    holding = [pair for pair in published if pair[1].state == "holding"]
    waiting = [pair for pair in published if pair[1].state == "waiting"]
    found = [elsewhere(pair) for pair in holding if pair[0].owner == "unknown"]
    for lock in kernel.values():
        waiters = tuple(waiter_of(pair) for pair in waiting if _awaits(pair[1], lock.offset))
        owners = [pair for pair in holding if _explains(pair, lock)]
        found += [confirmed(pair, waiters) for pair in owners]
        if not owners:
            found.append(unexplained(lock, waiters))
    legacy = None if store_path is None else legacy_lock(store_path)
    if legacy is not None:
        found.append(legacy)
    return sorted(found, key=lambda held: held.since_ms)


def _look(sidecar: Path) -> tuple[list[LiveTable], dict[int, KernelLock]]:
    """The tables, and the kernel's locks that they explain or that outlast a few looks."""
    tables = read_tables(sidecar, sweep=True)
    kernel = _locked(sidecar, tables)
    for _ in range(_LOOKS):
        puzzling = {
            offset
            for offset, lock in kernel.items()
            if not any(_explains(pair, lock) for pair in _holding(tables))
        }
        if not puzzling:
            break
        # Between locking and publishing there are microseconds, or a pause of the scheduler.
        time.sleep(_PAUSE_S)
        tables = read_tables(sidecar)
        still = _locked(sidecar, tables)
        kernel = {
            offset: lock
            for offset, lock in kernel.items()
            if offset in still or offset not in puzzling
        }
    if any(slot.offset == STORE_OFFSET for table in tables for slot in table.slots):
        # Who waits for the store shuts its turnstile: nothing is held yet.
        kernel = {offset: lock for offset, lock in kernel.items() if not lock.is_turnstile}
    return tables, kernel


def _holding(tables: list[LiveTable]) -> list[Published]:
    return [(table, slot) for table in tables for slot in table.slots if slot.state == "holding"]


def _locked(sidecar: Path, tables: list[LiveTable]) -> dict[int, KernelLock]:
    offsets = [slot.offset for table in tables for slot in table.slots]
    return {lock.offset: lock for lock in locked_now(sidecar, offsets)}


def _explains(pair: Published, lock: KernelLock) -> bool:
    table, slot = pair
    return table.owner == "alive" and slot.offset == lock.offset


def _awaits(slot: Slot, offset: int) -> bool:
    """A session's waiter waits for that session or the store, the store's waiter for all."""
    return slot.offset == offset or STORE_OFFSET in (offset, slot.offset)
