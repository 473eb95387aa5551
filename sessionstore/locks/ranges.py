"""Protocol "ofd-ranges-1": byte ranges of one file, locked per open file description (Linux).

::

    byte 0                    turnstile
    bytes 1 .. 2**62          session locks: byte keys.lock_offset(key)
    bytes 2**62+1 .. 2**63-1  queues: byte q(h) = 2**62 + h - (h >> 62) in front of session h

* **Session**: R(0), W(h), U(0), the work, U(h). Four ``fcntl`` calls; no descriptor is opened.
* **Exclusive mode**: through a descriptor of its own (an unlock of a session on the same one
  would punch a hole): W(0), W[1 .. 2**62], the work, U of both. It leaves the queue bytes alone:
  who waits there may wait for byte 0.
* **A session that is not free**: U(0), W(q), then R(0), W(h), U(0) with waiting, U(q). Nobody
  waits for a session while keeping the turnstile, else a hot session would keep exclusive mode
  out; and only one process per session gets past the turnstile to wait, so exclusive mode waits
  for at most two holds of it.
* **Who holds a session already** and asks for another one goes straight to W(h): waiting at the
  turnstile or in a queue could wait for an exclusive mode that waits for the first session.
* **Fairness**: the kernel wakes waiters without giving the lock to any, so a process that asks
  again at once wins for up to 100 ms. A process that had to wait for a session therefore takes
  q(h) first for its next acquisitions of it (six calls instead of four) until it has met
  nobody there for ``_QUEUE_PASSES`` times. A program that never queues is safe, only unfair.

The kernel does not detect deadlocks among these locks: several sessions are locked in order of
their offset. Sources: fcntl_locking(2); performance.md §2.
"""

from __future__ import annotations

import os
import threading
import weakref
from pathlib import Path

from ..errors import UnsupportedStoreError
from . import ofd
from .lockfile import NAME, open_lock_file
from .ofd import BUSY, SET, SET_WAITING, UNLOCK, WRITE, call, pack, try_lock
from .ranges_exclusive import LAST_KEY, OPEN, RangesAttempt

PROTOCOL = "ofd-ranges-1"

_QUEUE_PASSES = 256
_MAX_QUEUED_KEYS = 1024
_PASS = pack(ofd.READ, 0, 0, 1, 0)


def queue_of(offset: int) -> int:
    """The queue byte of a session's byte."""
    return LAST_KEY + offset - (offset >> 62)


class Ranges:
    """Session locks of one process, on one descriptor shared by its threads."""

    def __init__(self, sidecar: Path) -> None:
        if not ofd.IS_SUPPORTED:
            raise UnsupportedStoreError(
                f"this system has no locks of the protocol {PROTOCOL!r}",
                path=sidecar / NAME,
                hint="write this store on Linux",
            )
        self._sidecar = sidecar
        self._fd = open_lock_file(sidecar, PROTOCOL)
        self._queued: dict[int, int] = {}  # offset -> passes left through its queue
        self._guard = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._attempts: weakref.WeakSet[RangesAttempt] = weakref.WeakSet()

    def try_key(self, offset: int) -> bool:
        if offset in self._queued:
            return self._try_through_queue(offset)
        fd = self._fd
        try:
            call(fd, SET, _PASS)
            call(fd, SET, pack(WRITE, 0, offset, 1, 0))
        except BUSY:
            return False
        finally:
            call(fd, SET, OPEN)  # an interrupted call must not keep exclusive mode out
        return True

    def _try_through_queue(self, offset: int) -> bool:
        fd = self._fd
        queue = queue_of(offset)
        if not try_lock(fd, pack(WRITE, 0, queue, 1, 0)):
            return False
        try:
            if not try_lock(fd, _PASS):
                return False
            try:
                taken = try_lock(fd, pack(WRITE, 0, offset, 1, 0))
            finally:
                call(fd, SET, OPEN)
        finally:
            call(fd, SET, pack(UNLOCK, 0, queue, 1, 0))
        if taken:
            left = self._queued.get(offset, 1) - 1
            if left:
                self._queued[offset] = left
            else:
                self._queued.pop(offset, None)
        return taken

    def try_key_inside(self, offset: int) -> bool:
        return try_lock(self._fd, pack(WRITE, 0, offset, 1, 0))

    def wait_key(self, offset: int, *, inside: bool) -> None:
        with self._guard:
            self._waiting += 1
        try:
            if inside:
                call(self._fd, SET_WAITING, pack(WRITE, 0, offset, 1, 0))
            else:
                self._wait_in_queue(offset)
        finally:
            with self._guard:
                self._waiting -= 1
                if self._closed:
                    call(self._fd, SET, pack(UNLOCK, 0, 0, 0, 0))
                    self._close_unused()

    def _wait_in_queue(self, offset: int) -> None:
        fd = self._fd
        queue = queue_of(offset)
        call(fd, SET_WAITING, pack(WRITE, 0, queue, 1, 0))
        try:
            # Another thread's U(0) may take our R(0) away, as both are this description's.
            # That lets exclusive mode in a little earlier and does no harm.
            call(fd, SET_WAITING, _PASS)
            taken = try_lock(fd, pack(WRITE, 0, offset, 1, 0))
            call(fd, SET, OPEN)
            if not taken:
                call(fd, SET_WAITING, pack(WRITE, 0, offset, 1, 0))
        finally:
            call(fd, SET, pack(UNLOCK, 0, queue, 1, 0))
        if len(self._queued) >= _MAX_QUEUED_KEYS:
            self._queued.clear()
        self._queued[offset] = _QUEUE_PASSES

    def free_key(self, offset: int) -> None:
        call(self._fd, SET, pack(UNLOCK, 0, offset, 1, 0))

    def open_attempt(self) -> RangesAttempt:
        attempt = RangesAttempt(open_lock_file(self._sidecar, PROTOCOL))
        self._attempts.add(attempt)
        return attempt

    def is_current(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._sidecar / NAME), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        with self._guard:
            if self._closed:
                return
            self._closed = True
            call(self._fd, SET, pack(UNLOCK, 0, 0, 0, 0))
            self._close_unused()

    def _close_unused(self) -> None:
        # A number that is closed while a thread waits on it could become another file's.
        if not self._waiting and self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def forget_after_fork(self) -> None:
        self._closed, self._waiting = True, 0
        self._close_unused()
        for attempt in self._attempts:
            attempt.forget_after_fork()
