"""Publish this process's holds and waits in its live table, without a system call.

The table is a small file in ``<sidecar>/live``, mapped into memory. The file is ``flock``ed for
the life of its owner through a second descriptor (the mapping itself would keep a lock alive in
a forked child), so a reader that gets that lock has proof that the owner is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
import secrets
import time
from pathlib import Path

from ..errors import StoreIOError
from ..files import ensure_directory
from . import slots
from .hold import Hold
from .identity import Identity
from .slots import HOLDING, SESSION_SCOPE, STORE_SCOPE, WAITING

FOLDER = "live"
NEW_PREFIX = ".new-"

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_pack_body = slots.BODY.pack_into
_now_ns = time.time_ns


class Table:
    """This process's live table. More than 254 holds and waits are counted, not shown."""

    def __init__(self, mapped: mmap.mmap, path: Path | None, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd
        self._map = mapped
        self._numbers = memoryview(mapped).cast("I")
        self._free = list(reversed(slots.places()))

    def publish(self, hold: Hold) -> None:
        """Show a hold that has just been acquired, in its wait's slot if it has one."""
        self._write(hold, HOLDING)

    def publish_wait(self, hold: Hold) -> None:
        """Show that a call waits."""
        self._write(hold, WAITING)

    def _write(self, hold: Hold, state: int) -> None:
        at = hold.slot
        if at < 0:
            try:
                at = hold.slot = self._free.pop()
            except IndexError:
                self._numbers[slots.OVERFLOW_AT >> 2] += 1
                return
        key = hold.key
        text = b"" if key is None else key.encode("utf-8", "replace")
        numbers = self._numbers
        sequence = (numbers[at >> 2] + 1) & 0xFFFFFFFF
        numbers[at >> 2] = sequence
        _pack_body(
            self._map,
            at + 4,
            state,
            STORE_SCOPE if key is None else SESSION_SCOPE,
            len(text),
            _now_ns(),
            hold.timeout,
            hold.offset,
            hold.operation.encode("utf-8", "replace"),
            text,
        )
        numbers[at >> 2] = (sequence + 1) & 0xFFFFFFFF

    def clear(self, hold: Hold) -> None:
        """Show that it is over."""
        at = hold.slot
        if at >= 0:
            hold.slot = -1
            self._map[at + 4] = 0
            self._free.append(at)

    def close(self) -> None:
        """Remove the table. After a crash the next reader or writer of the store does."""
        if self._map.closed:
            return
        if self.path is not None:
            _unlink_quietly(self.path)
        self._drop()

    def forget_after_fork(self) -> None:
        """In a forked child: the table is the parent's."""
        if not self._map.closed:
            self._drop()

    def _drop(self) -> None:
        self._free.clear()
        self._numbers.release()
        self._map.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)


def open_table(sidecar: Path, identity: Identity, protocol: str) -> Table:
    """Create this process's table; an unseen one in memory when there is no room for it.

    Showing a hold is worth less than holding it: on a full disk the lock must still work, so
    that sessions can be deleted.
    """
    header = slots.pack_header(identity, protocol)
    try:
        ensure_directory(sidecar / FOLDER)
        return _create(sidecar / FOLDER, identity, header)
    except OSError as error:
        if isinstance(error, StoreIOError) and error.errno is None:
            raise
        mapped = mmap.mmap(-1, slots.TABLE_BYTES)
        mapped[: slots.HEADER_BYTES] = header
        return Table(mapped, None, -1)


def _create(folder: Path, identity: Identity, header: bytes) -> Table:
    temporary = folder / f"{NEW_PREFIX}{identity.pid}-{secrets.token_hex(6)}"
    fd = os.open(temporary, _CREATE, 0o600)
    lock_fd = -1
    try:
        # Written in full, never extended: storing into a hole on a full disk is a SIGBUS.
        os.write(fd, header.ljust(slots.TABLE_BYTES, b"\0"))
        if os.fstat(fd).st_size != slots.TABLE_BYTES:
            raise OSError("the live table was written only in part")
        lock_fd = os.open(temporary, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path = _give_name(temporary, folder / table_name(identity))
        return Table(mmap.mmap(fd, slots.TABLE_BYTES), path, lock_fd)
    except BaseException:
        if lock_fd >= 0:
            os.close(lock_fd)
        _unlink_quietly(temporary)
        raise
    finally:
        os.close(fd)  # the mapping has its own


def table_name(identity: Identity) -> str:
    """``<host>-<pid>-<start>``, safe as a file name."""
    host = re.sub(r"[^A-Za-z0-9_.]", "_", identity.host)[:64].lstrip(".") or "host"
    return f"{host}-{identity.pid}-{identity.start}"


def _give_name(temporary: Path, wanted: Path) -> Path:
    # Another store object of this process, or another container's process, may have the name.
    for number in range(1, 1000):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}")
        try:
            os.link(temporary, path)
        except FileExistsError:
            continue
        os.unlink(temporary)
        return path
    raise OSError(f"{wanted} and 999 more names are taken")


def _unlink_quietly(path: Path) -> None:
    # What is left, the sweep takes; on the way out of an error, that error is the one to raise.
    with contextlib.suppress(OSError):
        os.unlink(path)
