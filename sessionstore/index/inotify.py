"""inotify through ctypes: which names changed since the last look, in one system call.

The ``watchfiles`` library was considered and not taken: it delivers from a thread after a
debounce, so a refresh could not know that nothing is still on its way. The kernel queues an
inotify event before the writer's rename returns; reading the queue dry is therefore exact.
Source: inotify(7); costs in performance.md §4.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
QUEUE_OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
ONLY_DIRECTORY: Final = 0x0100_0000
NO_FOLLOW: Final = 0x0200_0000

NAMES: Final = CREATE | DELETE | MOVED_FROM | MOVED_TO
CONTENTS: Final = NAMES | MODIFY | ATTRIB | CLOSE_WRITE
GONE: Final = DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED

_HEADER: Final = struct.Struct("iIII")
_BUFFER: Final = 64 * 1024  # more would make malloc map and unmap memory at each read
_NAME_MAX: Final = 255


class Event(NamedTuple):
    """What happened to ``name`` (empty: the directory itself) below the watch ``watch``."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One inotify instance. Needs Linux; OSError elsewhere or when the limits are reached."""

    def __init__(self) -> None:
        init, self._add = _calls()
        self.fd = init(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"inotify: {os.strerror(code)}")

    def watch(self, path: str, mask: int) -> int:
        """Watch a directory; returns the number that its events carry."""
        number = self._add(self.fd, os.fsencode(path), mask | ONLY_DIRECTORY | NO_FOLLOW)
        if number < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"inotify: {os.strerror(code)}", path)
        return number

    def events(self) -> Iterator[Event]:
        """All queued events; one system call when there are none. Never blocks."""
        while True:
            try:
                data = os.read(self.fd, _BUFFER)
            except BlockingIOError:
                return
            yield from _parse(data)
            if len(data) < _BUFFER - _HEADER.size - _NAME_MAX - 1:
                return  # the queue fitted, so it was dry when the call returned

    def close(self) -> None:
        """Give the instance back; its watches go with it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _parse(data: bytes) -> Iterator[Event]:
    at = 0
    while at < len(data):
        watch, mask, _cookie, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        name = data[at : at + length].rstrip(b"\0")
        at += length
        yield Event(watch, mask, os.fsdecode(name))


@functools.cache
def _calls() -> tuple[Callable[[int], int], Callable[[int, bytes, int], int]]:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "inotify is a Linux interface")
    library = ctypes.CDLL(None, use_errno=True)
    try:
        init, add = library.inotify_init1, library.inotify_add_watch
    except AttributeError as error:
        raise OSError(errno.ENOSYS, "this C library has no inotify") from error
    init.argtypes, init.restype = [ctypes.c_int], ctypes.c_int
    add.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
    add.restype = ctypes.c_int
    return init, add
