"""Protocol "flock-files-1": one file per session, a gate and a turnstile (any POSIX system).

::

    <sidecar>/turnstile                  <sidecar>/gate
    <sidecar>/keys/<offset, 16 hex digits>    one per session ever locked; never deleted

* **Session**: turnstile SH; its file EX; gate SH; turnstile UN; the work; both released.
* **Exclusive mode**: turnstile EX; gate EX; the work; both released.
* **A session that is not free**: leave the turnstile, pass it once more with waiting, then wait
  for the session's file, then for the gate. Nobody keeps the turnstile or the gate while
  waiting for a session, and who has passed the turnstile is never stopped at it again, so
  exclusive mode waits for those that were queued before it and for nobody else.

``flock`` belongs to the open file, so each hold has descriptors of its own.
Source: flock(2). A lock file is never deleted: a second holder could get in (ecosystem §3.2).
"""

from __future__ import annotations

import os
import weakref
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path

from ..files import ensure_directory, io_error
from .flockfiles_exclusive import FlockAttempt, try_flock
from .lockfile import NAME, open_lock_file

PROTOCOL = "flock-files-1"
TURNSTILE = "turnstile"
GATE = "gate"
KEYS = "keys"

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_SPARE = 32


def file_name(offset: int) -> str:
    """Name of a session's lock file below ``keys``."""
    return f"{offset:016x}"


def open_file(path: Path) -> int:
    """Open one of the protocol's lock files, creating it where needed."""
    try:
        return os.open(path, _FLAGS, 0o600)
    except OSError as error:
        raise io_error("open", path, error) from error


class Descriptors:
    """What one hold has open: turnstile, gate and its session's file."""

    __slots__ = ("gate", "key", "turnstile")

    def __init__(self, sidecar: Path) -> None:
        self.key = -1
        self.turnstile = open_file(sidecar / TURNSTILE)
        self.gate = open_file(sidecar / GATE)

    def close(self) -> None:
        for fd in (self.key, self.gate, self.turnstile):
            if fd >= 0:
                os.close(fd)

    def unlock(self) -> None:
        """Release and close the session's file, release the rest."""
        fd, self.key = self.key, -1
        try:
            if fd >= 0:
                # Not by closing alone: a child being forked may have a copy.
                flock(fd, LOCK_UN)
                os.close(fd)
        finally:
            flock(self.gate, LOCK_UN)
            flock(self.turnstile, LOCK_UN)


class FlockFiles:
    """Session locks of one process."""

    def __init__(self, sidecar: Path) -> None:
        self._sidecar = sidecar
        self._marker = open_lock_file(sidecar, PROTOCOL)
        ensure_directory(sidecar / KEYS)
        self._held: dict[int, Descriptors] = {}
        self._spare: list[Descriptors] = []
        self._closed = False
        self._attempts: weakref.WeakSet[FlockAttempt] = weakref.WeakSet()

    def try_key(self, offset: int) -> bool:
        return self._attempt_key(offset, pass_turnstile=True)

    def try_key_inside(self, offset: int) -> bool:
        return self._attempt_key(offset, pass_turnstile=False)

    def _attempt_key(self, offset: int, *, pass_turnstile: bool) -> bool:
        own = self._take_descriptors()
        taken = False
        try:
            if not pass_turnstile or try_flock(own.turnstile, LOCK_SH):
                own.key = open_file(self._sidecar / KEYS / file_name(offset))
                taken = try_flock(own.key, LOCK_EX) and try_flock(own.gate, LOCK_SH)
        finally:
            if not taken:
                own.unlock()
                self._put_back(own)
        if pass_turnstile and taken:
            flock(own.turnstile, LOCK_UN)
        if taken:
            self._held[offset] = own
        return taken

    def wait_key(self, offset: int, *, inside: bool) -> None:
        own = self._take_descriptors()
        try:
            if not inside:
                flock(own.turnstile, LOCK_SH)
                flock(own.turnstile, LOCK_UN)
            own.key = open_file(self._sidecar / KEYS / file_name(offset))
            flock(own.key, LOCK_EX)
            flock(own.gate, LOCK_SH)
        except BaseException:
            own.close()
            raise
        self._held[offset] = own
        if self._closed:
            self.free_key(offset)

    def free_key(self, offset: int) -> None:
        own = self._held.pop(offset, None)
        if own is not None:
            own.unlock()
            self._put_back(own)

    def _take_descriptors(self) -> Descriptors:
        try:
            return self._spare.pop()
        except IndexError:
            return Descriptors(self._sidecar)

    def _put_back(self, own: Descriptors) -> None:
        if self._closed or len(self._spare) >= _MAX_SPARE:
            own.close()
        else:
            self._spare.append(own)

    def open_attempt(self) -> FlockAttempt:
        attempt = FlockAttempt(
            turnstile=open_file(self._sidecar / TURNSTILE), gate=open_file(self._sidecar / GATE)
        )
        self._attempts.add(attempt)
        return attempt

    def is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._sidecar / NAME), os.fstat(self._marker))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            for offset in list(self._held):
                self.free_key(offset)
            self._close_all()

    def forget_after_fork(self) -> None:
        if not self._closed:
            self._closed = True
            self._close_all()
        for attempt in self._attempts:
            attempt.forget_after_fork()

    def _close_all(self) -> None:
        for own in [*self._held.values(), *self._spare]:
            own.close()
        self._held.clear()
        self._spare.clear()
        os.close(self._marker)
