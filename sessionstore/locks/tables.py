"""Read the live tables of all processes; sweep those whose owner is proven dead."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import StoreIOError, UnsafeFileError
from ..files import open_below
from . import slots
from .identity import Identity, boot_id
from .slots import Header, Slot
from .table import FOLDER, NEW_PREFIX

Owner = Literal["alive", "dead", "unknown"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_UNFINISHED_AFTER_S = 60.0
_TRIES = 5
_MOST_TABLES = 1024


@dataclass(frozen=True, slots=True)
class LiveTable:
    """One process and what it published. ``owner`` is "unknown" on another machine."""

    header: Header
    slots: tuple[Slot, ...]
    owner: Owner

    @property
    def identity(self) -> Identity:
        return self.header.identity


def read_tables(sidecar: Path, *, sweep: bool = False) -> list[LiveTable]:
    """All tables but dead ones, of at most 1,024 files. Never blocks, never creates anything.

    ``sweep`` also removes the tables of this machine whose owner is dead. Nothing is read or
    removed through a link: what is behind one is not ours.
    """
    try:
        folder = open_below(sidecar, FOLDER)
    except (FileNotFoundError, UnsafeFileError, StoreIOError):
        return []  # tables only explain: what is locked, the kernel says
    try:
        names = sorted(os.listdir(folder))[:_MOST_TABLES]
        here = boot_id()
        tables = [_read(folder, name, here, sweep) for name in names]
    except OSError:
        return []
    finally:
        os.close(folder)
    return [table for table in tables if table is not None and table.owner != "dead"]


def _read(folder: int, name: str, here: str, sweep: bool) -> LiveTable | None:
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None  # gone since the listing, or another user's
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        if name.startswith(NEW_PREFIX):
            if sweep and time.time() - status.st_mtime > _UNFINISHED_AFTER_S:
                _sweep(folder, name, fd)
            return None
        header = slots.unpack_header(os.pread(fd, slots.TABLE_BYTES + 1, 0))
        if header is None:
            return None
        owner = _owner(fd, header, here)
        if owner == "dead":
            if sweep:
                _sweep(folder, name, fd)
            return None
        return LiveTable(header, tuple(_slots(fd)), owner)
    except OSError:
        return None  # an unreadable table explains nothing; the kernel's locks still show
    finally:
        os.close(fd)


def _owner(fd: int, header: Header, here: str) -> Owner:
    if not here or header.identity.boot_id != here:
        # Its flock may live in another kernel that shares the disk, so it proves nothing here.
        is_ours = not here and header.identity.host == os.uname().nodename
        if not is_ours:
            return "unknown"
    return "dead" if _is_unlocked(fd) else "alive"


def _is_unlocked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(folder: int, name: str, fd: int) -> None:
    """Remove a table that we have locked, if the name still leads to it."""
    try:
        if _is_unlocked(fd) and os.path.samestat(os.lstat(name, dir_fd=folder), os.fstat(fd)):
            os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # another reader was faster, or the folder is read-only: harmless litter


def _slots(fd: int) -> Iterator[Slot]:
    before = os.pread(fd, slots.TABLE_BYTES, 0)
    open_places = [at for at in slots.places() if slots.is_in_use(before, at)]
    for _ in range(_TRIES):
        if not open_places:
            return
        after = os.pread(fd, slots.TABLE_BYTES, 0)
        if len(before) != slots.TABLE_BYTES or len(after) != slots.TABLE_BYTES:
            return
        unsettled = []
        for at in open_places:
            slot = slots.unpack_slot(before, after, at)
            if slot is not None:
                yield slot
            elif slots.is_in_use(after, at):
                unsettled.append(at)
        before, open_places = after, unsettled
