"""Ask the kernel what is locked, without waiting for anything.

On Linux each probe is ``F_OFD_GETLK`` or a look into ``/proc``; on other systems a session's
file is probed by trying a shared ``flock``, which lasts for a moment.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import flockfiles, ranges
from .flockfiles_exclusive import try_flock
from .hold import STORE_OFFSET
from .lockfile import NAME, open_existing, read_protocol
from .ofd import IS_SUPPORTED, conflict
from .ranges_exclusive import LAST_KEY

_MAX_FOUND = 4096
_MAX_JOINED = 8
_PROBE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class KernelLock:
    """A lock that the kernel reports: a session's offset, or STORE_OFFSET for the store.

    ``path`` is the file that it is on, ``byte`` the first byte of it that is locked, None for
    an ``flock``.
    """

    offset: int
    path: Path
    byte: int | None

    @property
    def is_store(self) -> bool:
        return self.offset == STORE_OFFSET

    @property
    def is_turnstile(self) -> bool:
        """Whether only the turnstile is shut, so nobody holds the store yet."""
        return self.byte == 0


def locked_now(sidecar: Path, published: Iterable[int]) -> list[KernelLock]:
    """Every lock of the store that is held. ``published`` are offsets worth asking about."""
    protocol = read_protocol(sidecar)
    if protocol == ranges.PROTOCOL and IS_SUPPORTED:
        return _locked_ranges(sidecar)
    if protocol == flockfiles.PROTOCOL:
        return _locked_files(sidecar, published)
    return []


def _locked_ranges(sidecar: Path) -> list[KernelLock]:
    fd = open_existing(sidecar)
    if fd is None:
        return []
    path = sidecar / NAME
    try:
        found = _ranges_in(fd, path)
        is_exclusive = any(lock.is_store for lock in found)
        if not is_exclusive and conflict(fd, 0, 1, write=False) is not None:
            found.append(KernelLock(STORE_OFFSET, path, 0))
        return found
    finally:
        os.close(fd)


def _ranges_in(fd: int, path: Path) -> list[KernelLock]:
    """All locked ranges of the sessions' bytes; the range of all of them is exclusive mode."""
    found: list[KernelLock] = []
    # The kernel answers with any conflict, not the first: look again on both sides of it.
    parts = [(1, LAST_KEY + 1)]
    while parts and len(found) < _MAX_FOUND:
        start, end = parts.pop()
        hit = conflict(fd, start, end - start) if start < end else None
        if hit is not None:
            # The kernel joins neighbouring ranges of one description, byte 0 included.
            first = max(hit[0], 1)
            after = hit[0] + hit[1] if hit[1] else end
            is_store = first == 1 and after > LAST_KEY
            offsets = [STORE_OFFSET] if is_store else range(first, min(after, first + _MAX_JOINED))
            found += [KernelLock(offset, path, offset or first) for offset in offsets]
            parts += [(start, min(first, end)), (max(after, start), end)]
    return found


def _locked_files(sidecar: Path, published: Iterable[int]) -> list[KernelLock]:
    found = []
    gate = sidecar / flockfiles.GATE
    if _is_flocked(gate, fcntl.LOCK_SH):
        found.append(KernelLock(STORE_OFFSET, gate, None))
    offsets = {offset for offset in published if offset != STORE_OFFSET}
    offsets |= _flocked_offsets(sidecar / flockfiles.KEYS)
    for offset in sorted(offsets):
        path = sidecar / flockfiles.KEYS / flockfiles.file_name(offset)
        if _is_flocked(path, fcntl.LOCK_SH):
            found.append(KernelLock(offset, path, None))
    return found


def _is_flocked(path: Path, mode: int) -> bool:
    try:
        fd = os.open(path, _PROBE)
    except OSError:
        return False
    try:
        return not try_flock(fd, mode)
    finally:
        os.close(fd)


def _flocked_offsets(folder: Path) -> set[int]:
    """Offsets whose file somebody has locked, by Linux's list of all locks."""
    inodes = set()
    try:
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            for line in file:
                fields = line.split()
                if len(fields) > 5 and fields[1] == "FLOCK":
                    inodes.add(int(fields[5].rsplit(":", 1)[-1]))
        entries = [entry for entry in os.scandir(folder) if entry.inode() in inodes]
        return {int(entry.name, 16) for entry in entries if len(entry.name) == 16}
    except (OSError, ValueError):
        return set()  # no such list on this system: only published locks are shown
