"""Open-file-description locks of byte ranges, as system calls (Linux).

``fcntl.lockf`` would take POSIX locks, which any close of the file in the process drops.
Source: fcntl_locking(2).
"""

from __future__ import annotations

import fcntl
import struct
import sys

IS_SUPPORTED = hasattr(fcntl, "F_OFD_SETLK") and sys.maxsize > 1 << 32
SET: int = getattr(fcntl, "F_OFD_SETLK", -1)
SET_WAITING: int = getattr(fcntl, "F_OFD_SETLKW", -1)
GET: int = getattr(fcntl, "F_OFD_GETLK", -1)
READ, WRITE, UNLOCK = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK

# struct flock: type, whence, start, length, pid (which must be 0), padded as on 64-bit Linux.
_FLOCK = struct.Struct("hhqqi4x")
pack = _FLOCK.pack
call = fcntl.fcntl

# fcntl(2) allows EACCES as well as EAGAIN for "locked by another".
BUSY = (BlockingIOError, PermissionError)


def try_lock(fd: int, request: bytes) -> bool:
    """Take a range if it is free now."""
    try:
        call(fd, SET, request)
    except BUSY:
        return False
    return True


def conflict(fd: int, start: int, length: int, *, write: bool = True) -> tuple[int, int] | None:
    """A range (start, length; 0 = to the end) held by another description, None if all is free."""
    request = pack(WRITE if write else READ, 0, start, length, 0)
    kind, _, found, extent, _ = _FLOCK.unpack(call(fd, GET, request))
    return None if kind == UNLOCK else (found, extent)
