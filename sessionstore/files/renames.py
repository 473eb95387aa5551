"""Three calls that the standard library does not have: renaming that never replaces, swapping two
names, and syncing a whole file system.

renameat2(2) and syncfs(2) on Linux, renameatx_np(2) on macOS. Each says False where the system or
its file system cannot do it; the callers then go the portable way.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable

# The call, and its flags: never replace; exchange.
_SYSTEMS = {"linux": ("renameat2", 1, 2), "darwin": ("renameatx_np", 4, 2)}

# The system or its file system has no such call or no such flag.
_UNKNOWN = frozenset([errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP])


def rename_exclusively(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Rename between open directories; False when that cannot be done in one step here.

    Raises:
        OSError: the target exists, there is nothing of that name, or the system refused.
    """
    call, flag, _ = _call()
    return _renamed(call, name, target, from_fd, to_fd, flag)


def exchange_names(name: str, target: str, *, from_fd: int, to_fd: int) -> bool:
    """Let two names change places at once, whatever they are; False when that cannot be here.

    Raises:
        OSError: one of them is not there, or the system refused.
    """
    call, _, flag = _call()
    return _renamed(call, name, target, from_fd, to_fd, flag)


def sync_whole(fd: int) -> bool:
    """Write back the file system that ``fd`` is on; False where there is no such call.

    Raises:
        OSError: something could not be written (reported since Linux 5.8).
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return False
    if call(ctypes.c_int(fd)) == 0:
        return True
    code = ctypes.get_errno()
    if code == errno.ENOSYS:
        return False
    raise OSError(code, os.strerror(code))


_Call = Callable[[int, bytes, int, bytes, int], int]


def _renamed(
    call: _Call | None, name: str, target: str, from_fd: int, to_fd: int, flag: int
) -> bool:
    if call is None:
        return False
    if call(from_fd, os.fsencode(name), to_fd, os.fsencode(target), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), target if code == errno.EEXIST else name)


@functools.cache
def _call() -> tuple[_Call | None, int, int]:
    name, never, swap = _SYSTEMS.get(sys.platform, ("", 0, 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is not None:
        number, text = ctypes.c_int, ctypes.c_char_p
        call.argtypes, call.restype = [number, text, number, text, ctypes.c_uint], number
    return call, never, swap
