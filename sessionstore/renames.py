"""Renaming that never replaces, in one step: renameat2(2) on Linux, renameatx_np(2) on macOS.

The portable way, a second name and then removing the first, leaves both when a process dies in
between. ``files`` falls back to it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable

_SYSTEMS = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}  # the flag: never replace

# The system or its file system has no such call or no such flag.
_UNKNOWN = frozenset([errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP])


def rename_exclusively(name: str, target: str, *, dir_fd: int) -> bool:
    """Rename inside an open directory; False when that cannot be done in one step here.

    Raises:
        OSError: the target exists, there is nothing of that name, or the system refused.
    """
    call, flag = _call()
    if call is None:
        return False
    if call(dir_fd, os.fsencode(name), dir_fd, os.fsencode(target), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), target if code == errno.EEXIST else name)


@functools.cache
def _call() -> tuple[Callable[[int, bytes, int, bytes, int], int] | None, int]:
    name, flag = _SYSTEMS.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is not None:
        number, text = ctypes.c_int, ctypes.c_char_p
        call.argtypes, call.restype = [number, text, number, text, ctypes.c_uint], number
    return call, flag
