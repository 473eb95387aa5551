"""Who holds and who awaits the locks of a store, for an operator.

The kernel says what is locked, the live tables say by whom and since when. A hold that the
kernel does not confirm is over; a lock that no table explains is looked for in ``/proc``.
Nothing is changed but that the tables of dead processes are swept, and nothing is waited for.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..files import io_error
from .heldlock import HeldLock
from .hold import STORE_OFFSET
from .legacypayload import LegacyFile, legacy_lock_path
from .lockfile import NAME
from .lockfiles import Listing, Looked, look_at, shown, transcript_lock_paths
from .neighbours import Neighbours
from .probing import KernelLock, locked_now
from .procfs import OpenLocks
from .published import Published, confirmed, elsewhere, unexplained, waiter_of
from .shown import plain_path
from .slots import State
from .tables import LiveTable, read_tables

_LOOKS = 6
_PAUSE_S = 0.005
_MOST_ELSEWHERE = 4096


@dataclass(frozen=True, slots=True)
class LockView:
    """Locks held, the longest held first, and how much was not looked at.

    ``unread`` counts transcript locks that are there and were not judged; ``is_cut`` says that
    the directory has more names than were listed, so there may be others.
    """

    held: tuple[HeldLock, ...]
    unread: int
    is_cut: bool


def held_locks(
    sidecar: Path, *, store_path: Path | None = None, transcripts: bool = False
) -> list[HeldLock]:
    """All locks held on a store, the longest held first, with who waits for each.

    ``store_path`` adds OpenClaw's ``sessions.json.lock``, ``transcripts`` the locks of the
    transcripts beside it. A lock that comes or goes while we look may be missing.
    """
    return list(view_locks(sidecar, store_path=store_path, transcripts=transcripts).held)


def view_locks(
    sidecar: Path,
    *,
    store_path: Path | None = None,
    transcripts: bool = False,
    sweep: bool = True,
) -> LockView:
    """As :func:`held_locks`, with what was left out. ``sweep=False`` leaves dead tables alone.

    Raises:
        StoreIOError: the store's directory cannot be listed.
    """
    tables, kernel = _look(sidecar, sweep)
    looked, listing = _lock_files(store_path, transcripts=transcripts)
    neighbours = Neighbours(each.found for each in looked if isinstance(each.found, LegacyFile))
    waiting = _by_offset(tables, "waiting")
    owners = _owners(tables)
    path = plain_path(sidecar / NAME)
    found = [elsewhere(pair, path, neighbours) for pair in _of_others(tables)]
    open_locks = OpenLocks(lock for offset, lock in kernel.items() if offset not in owners)
    for offset, lock in kernel.items():
        waiters = tuple(waiter_of(pair, neighbours) for pair in _awaiting(waiting, offset))
        found += [confirmed(pair, lock, waiters, neighbours) for pair in owners.get(offset, ())]
        if offset not in owners:
            found.append(unexplained(lock, waiters, open_locks, neighbours))
    found += [shown(each, neighbours) for each in looked]
    found.sort(key=lambda held: held.since_ms)
    return LockView(tuple(found), listing.unread, listing.is_cut)


def _lock_files(store_path: Path | None, *, transcripts: bool) -> tuple[list[Looked], Listing]:
    if store_path is None:
        return [], Listing((), 0, False)
    try:
        listing = transcript_lock_paths(store_path) if transcripts else Listing((), 0, False)
    except OSError as error:
        raise io_error("list", store_path.parent, error) from error
    looked = [look_at(path, "transcript") for path in listing.paths]
    looked.append(look_at(legacy_lock_path(store_path), "legacy"))
    return [each for each in looked if each is not None], listing


def _look(sidecar: Path, sweep: bool) -> tuple[list[LiveTable], dict[int, KernelLock]]:
    """The tables, and the kernel's locks that they explain or that outlast a few looks."""
    tables = read_tables(sidecar, sweep=sweep)
    kernel = _locked(sidecar, tables)
    for _ in range(_LOOKS):
        puzzling = kernel.keys() - _owners(tables).keys()
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


def _by_offset(tables: Iterable[LiveTable], state: State) -> dict[int, list[Published]]:
    found: defaultdict[int, list[Published]] = defaultdict(list)
    for table in tables:
        for slot in table.slots:
            if slot.state == state:
                found[slot.offset].append((table, slot))
    return dict(found)


def _owners(tables: list[LiveTable]) -> dict[int, list[Published]]:
    """What living processes of this machine publish as held: that explains a lock."""
    return _by_offset((table for table in tables if table.owner == "alive"), "holding")


def _of_others(tables: list[LiveTable]) -> list[Published]:
    """What tables of other machines publish as held; as many as can be looked at."""
    found = _by_offset((table for table in tables if table.owner == "unknown"), "holding")
    return [pair for pairs in found.values() for pair in pairs][:_MOST_ELSEWHERE]


def _locked(sidecar: Path, tables: list[LiveTable]) -> dict[int, KernelLock]:
    offsets = [slot.offset for table in tables for slot in table.slots]
    return {lock.offset: lock for lock in locked_now(sidecar, offsets)}


def _awaiting(waiting: dict[int, list[Published]], offset: int) -> list[Published]:
    """A session's waiter waits for that session or the store, the store's waiter for all."""
    if offset == STORE_OFFSET:
        return [pair for pairs in waiting.values() for pair in pairs]
    return [*waiting.get(offset, ()), *waiting.get(STORE_OFFSET, ())]
