"""Find the processes behind a kernel lock, through Linux's ``/proc/<pid>/fdinfo``.

Needed only for locks that no live table explains. Sees the processes of the own user (root sees
all). Source: proc(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from .probing import KernelLock


def pids_behind(lock: KernelLock) -> tuple[int, ...]:
    """Processes that have the lock; several when it was inherited through a fork."""
    try:
        wanted = os.stat(lock.path)
        names = os.listdir("/proc")
    except OSError:
        return ()
    pids = sorted(int(name) for name in names if name.isdigit())
    return tuple(pid for pid in pids if _has_lock(pid, wanted, lock))


def command_of(pid: int) -> str:
    """The program of a process, "" when it cannot be told."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return os.path.basename(words[0].decode("utf-8", "replace"))


def _has_lock(pid: int, wanted: os.stat_result, lock: KernelLock) -> bool:
    return any(
        _is_this(line, lock)
        for number in _descriptors_of(pid, wanted)
        for line in _lock_lines(pid, number)
    )


def _descriptors_of(pid: int, wanted: os.stat_result) -> Iterator[str]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # another user's process, or it has just ended
    for number in numbers:
        try:
            status = os.stat(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        if os.path.samestat(status, wanted):
            yield number


def _lock_lines(pid: int, number: str) -> list[list[str]]:
    try:
        text = Path(f"/proc/{pid}/fdinfo/{number}").read_text("ascii", "replace")
    except OSError:
        return []
    # lock: 1: OFDLCK  ADVISORY  WRITE -1 fe:00:123 4711 4711
    return [line.split() for line in text.splitlines() if line.startswith("lock:")]


def _is_this(fields: list[str], lock: KernelLock) -> bool:
    if len(fields) < 9 or fields[4] != "WRITE":
        return False
    if lock.byte is None:
        return fields[2] == "FLOCK"
    last = fields[8]
    return int(fields[7]) <= lock.byte and (last == "EOF" or int(last) >= lock.byte)
