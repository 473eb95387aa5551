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
from .shown import plain

FileId = tuple[int, int]
"""Device and inode."""

_Range = tuple[int, float, int]
"""First byte, last byte, process."""

_MOST_COMMAND = 4096
_first_byte = itemgetter(0)


class OpenLocks:
    """What processes have locked of some locks' files. Made by one walk through ``/proc``."""

    def __init__(self, locks: Iterable[KernelLock]) -> None:
        self._files = {path: _file_id(path) for path in {lock.path for lock in locks}}
        wanted = {known for known in self._files.values() if known}
        self._ranges: dict[FileId, list[_Range]] = {known: [] for known in wanted}
        self._flocked: dict[FileId, set[int]] = {known: set() for known in wanted}
        for pid in all_pids() if wanted else ():
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

    def _note(self, known: FileId, pid: int, number: str) -> None:
        for fields in _lock_lines(pid, number):
            if len(fields) < 9 or fields[4] != "WRITE":
                continue
            if fields[2] == "FLOCK":
                self._flocked[known].add(pid)
            else:
                last = float("inf") if fields[8] == "EOF" else int(fields[8])
                self._ranges[known].append((int(fields[7]), last, pid))


def _file_id(path: Path) -> FileId | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def all_pids() -> list[int]:
    """The processes that we can see; none where there is no such file system."""
    try:
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
    except OSError:
        return []  # no such file system here


def command_of(pid: int) -> str:
    """The program of a process, "" when it cannot be told."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(_MOST_COMMAND).split(b"\0")
    except OSError:
        return ""
    return plain(os.path.basename(words[0].decode("utf-8", "replace")), most=64)


class Openers:
    """Which processes have some files open. Made by one walk through ``/proc``.

    ``hidden_uids`` are the users of the processes that we may not look into.
    """

    def __init__(self, wanted: set[FileId]) -> None:
        self._pids: dict[FileId, set[int]] = {}
        hidden = set()
        for pid in all_pids():
            try:
                for known, _number in _descriptors_of(pid, wanted, must=True):
                    self._pids.setdefault(known, set()).add(pid)
            except PermissionError:
                uid = _uid_of(pid)
                if uid is not None:
                    hidden.add(uid)
        self.hidden_uids = frozenset(hidden)

    def of(self, known: FileId) -> tuple[int, ...]:
        """The processes that have this file open, by number."""
        return tuple(sorted(self._pids.get(known, ())))


def _uid_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None  # it has just ended


def _descriptors_of(
    pid: int, wanted: set[FileId], *, must: bool = False
) -> Iterator[tuple[FileId, str]]:
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError as error:
        if must and isinstance(error, PermissionError):
            raise
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
