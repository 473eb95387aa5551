"""Exclusive mode of the protocol "flock-files-1": see :mod:`.flockfiles`."""

from __future__ import annotations

import os
import threading
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock


def try_flock(fd: int, mode: int) -> bool:
    """Take an ``flock`` if it is free now."""
    try:
        flock(fd, mode | LOCK_NB)
    except BlockingIOError:
        return False
    return True


class FlockAttempt:
    """Exclusive mode on descriptors of its own, which it closes at the end."""

    def __init__(self, *, turnstile: int, gate: int) -> None:
        self._turnstile = turnstile
        self._gate = gate
        self._guard = threading.Lock()
        self._users = 1
        self._closed = False

    def try_all(self) -> bool:
        if not try_flock(self._turnstile, LOCK_EX):
            return False
        if try_flock(self._gate, LOCK_EX):
            return True
        flock(self._turnstile, LOCK_UN)
        return False

    def shut(self) -> None:
        self._wait(self._turnstile)

    def reopen(self) -> None:
        flock(self._turnstile, LOCK_UN)

    def take(self) -> None:
        self._wait(self._gate)

    def _wait(self, fd: int) -> None:
        if not self._enter():
            return
        try:
            flock(fd, LOCK_EX)
        finally:
            with self._guard:
                if self._closed:
                    flock(fd, LOCK_UN)
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
                flock(self._gate, LOCK_UN)
                flock(self._turnstile, LOCK_UN)
                self._leave()

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            os.close(self._gate)
            os.close(self._turnstile)

    def forget_after_fork(self) -> None:
        if self._users:
            os.close(self._gate)
            os.close(self._turnstile)
        self._closed, self._users = True, 0
