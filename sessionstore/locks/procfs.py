"""Find the processes behind kernel locks, through Linux's ``/proc/<pid>/fdinfo``.

Needed only for locks that no live table explains. Sees the processes of the own user (root sees
all). Source: proc(5).
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path

from .probing import KernelLock

_FileId = tuple[int, int]
_Range = tuple[int, float, int]
"""First byte, last byte, process."""

_first_byte = itemgetter(0)


class OpenLocks:
    """What processes have locked of some locks' files. Made by one walk through ``/proc``."""

    def __init__(self, locks: Iterable[KernelLock]) -> None:
        self._files = {path: _file_id(path) for path in {lock.path for lock in locks}}
        wanted = {known for known in self._files.values() if known}
        self._ranges: dict[_FileId, list[_Range]] = {known: [] for known in wanted}
        self._flocked: dict[_FileId, set[int]] = {known: set() for known in wanted}
        for pid in _all_pids() if wanted else ():
            for known, number in _descriptors_of(pid, wanted):
                self._note(known, pid, number)
        for ranges in self._ranges.values():
            ranges.sort()

    def pids(self, lock: KernelLock) -> tuple[int, ...]:
        """Processes that have the lock; several when it was inherited through a fork."""
        known = self._files.get(lock.path)
        if known is None:
            return ()
        if lock.byte is None:
            return tuple(sorted(self._flocked[known]))
        ranges, pids = self._ranges[known], set()
        # Ranges of different owners never overlap: those that cover a byte are one, many times.
        for at in range(bisect_right(ranges, lock.byte, key=_first_byte) - 1, -1, -1):
            _first, last, pid = ranges[at]
            if last < lock.byte:
                break
            pids.add(pid)
        return tuple(sorted(pids))

    def _note(self, known: _FileId, pid: int, number: str) -> None:
        for fields in _lock_lines(pid, number):
            if len(fields) < 9 or fields[4] != "WRITE":
                continue
            if fields[2] == "FLOCK":
                self._flocked[known].add(pid)
            else:
                last = float("inf") if fields[8] == "EOF" else int(fields[8])
                self._ranges[known].append((int(fields[7]), last, pid))


def _file_id(path: Path) -> _FileId | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _all_pids() -> list[int]:
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []  # no such file system here


def command_of(pid: int) -> str:
    """The program of a process, "" when it cannot be told."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return os.path.basename(words[0].decode("utf-8", "replace"))


def _descriptors_of(pid: int, wanted: set[_FileId]) -> Iterator[tuple[_FileId, str]]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return  # another user's process, or it has just ended
    for number in numbers:
        try:
            status = os.stat(f"/proc/{pid}/fd/{number}")
        except OSError:
            continue
        known = (status.st_dev, status.st_ino)
        if known in wanted:
            yield known, number


def _lock_lines(pid: int, number: str) -> list[list[str]]:
    try:
        text = Path(f"/proc/{pid}/fdinfo/{number}").read_text("ascii", "replace")
    except OSError:
        return []
    # lock: 1: OFDLCK  ADVISORY  WRITE -1 fe:00:123 4711 4711
    return [line.split() for line in text.splitlines() if line.startswith("lock:")]
