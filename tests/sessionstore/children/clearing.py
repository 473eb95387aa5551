"""Children that clear lock files, and one that takes and leaves the same lock meanwhile."""

from __future__ import annotations

import json
import os
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

from sessionstore import clear_lock, held_locks, open_store
from sessionstore.locks.identity import start_of
from tests.sessionstore.children import crashing

DEAD_PID = 2**22 + 1  # above the highest pid that Linux gives


def payload(pid: int, start: int | None) -> bytes:
    created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return json.dumps({"pid": pid, "createdAt": created, "starttime": start}, indent=2).encode()


def run_killed(path: Path, lock: str, kill_at: int) -> None:
    """Clear the lock file of that name, and die before a step that changes the disk."""
    with open_store(path) as store:
        (held,) = [held for held in held_locks(store) if held.path.endswith(f"/{lock}")]
        crashing.arm(kill_at, crashing.CHANGES)
        clear_lock(store, held.id)


def take_turns(lock: Path, pipe: Connection) -> None:
    """Take the lock as OpenClaw does, leave it behind or release it, until a word comes.

    Sends how often it was taken, and how often it was lost while it was held.
    """
    mine = payload(os.getpid(), start_of(os.getpid()))
    taken = lost = 0
    while not pipe.poll():
        _create(lock, payload(DEAD_PID, 1))  # as a killed process leaves it
        time.sleep(random.choice([0.0, 0.01, 0.03, 0.3]))
        lock.unlink(missing_ok=True)  # and as a waiter takes it over
        held = _create(lock, mine)
        taken += 1
        time.sleep(0.002)
        lost += not _is_there(lock, held)
        lock.unlink(missing_ok=True)
    pipe.send((taken, lost))


def _create(lock: Path, content: bytes) -> int:
    fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    os.write(fd, content)
    inode = os.fstat(fd).st_ino
    os.close(fd)
    return inode


def _is_there(lock: Path, inode: int) -> bool:
    """Looked at for a while: a clearing that met it by chance puts it back within microseconds."""
    for _ in range(100):
        try:
            return lock.stat().st_ino == inode
        except FileNotFoundError:
            time.sleep(0.001)
    return False
