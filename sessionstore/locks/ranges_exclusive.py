"""Exclusive mode of the protocol "ofd-ranges-1": see :mod:`.ranges`."""

from __future__ import annotations

import os
import threading

from .ofd import SET, SET_WAITING, UNLOCK, WRITE, call, pack, try_lock

LAST_KEY = 1 << 62
OPEN = pack(UNLOCK, 0, 0, 1, 0)
_SHUT = pack(WRITE, 0, 0, 1, 0)
_TAKE = pack(WRITE, 0, 1, LAST_KEY, 0)
_LEAVE = pack(UNLOCK, 0, 1, LAST_KEY, 0)


class RangesAttempt:
    """Exclusive mode on a descriptor of its own, which it closes at the end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._guard = threading.Lock()
        self._users = 1
        self._closed = False

    def try_all(self) -> bool:
        if not try_lock(self._fd, _SHUT):
            return False
        if try_lock(self._fd, _TAKE):
            return True
        call(self._fd, SET, OPEN)
        return False

    def shut(self) -> None:
        self._wait(_SHUT, OPEN)

    def reopen(self) -> None:
        call(self._fd, SET, OPEN)

    def take(self) -> None:
        self._wait(_TAKE, _LEAVE)

    def _wait(self, request: bytes, undo: bytes) -> None:
        if not self._enter():
            return
        try:
            call(self._fd, SET_WAITING, request)
        finally:
            with self._guard:
                if self._closed:
                    call(self._fd, SET, undo)
                self._leave()

    def _enter(self) -> bool:
        with self._guard:
            if self._closed:
                return False
            self._users += 1
            return True

    def close(self) -> None:
        with self._guard:
            if not self._closed:
                self._closed = True
                call(self._fd, SET, _LEAVE)
                call(self._fd, SET, OPEN)
                self._leave()

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            os.close(self._fd)

    def forget_after_fork(self) -> None:
        if self._users:
            os.close(self._fd)
        self._closed, self._users = True, 0
