"""Threads that wait in the kernel, so that their callers can keep a deadline.

``fcntl`` and ``flock`` wait without limit, and asking again and again instead costs 40 to 750
times more at p99 (performance.md §2). A caller that has given up leaves its helper behind; what
such a helper still obtains, the job itself must dispose of.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

_IDLE_S = 10.0


class Job:
    """One call made by a helper."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._done = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # it belongs to the waiting caller, not to this thread
            self._error = error
        finally:
            self._done.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it has finished in time; raises what the call raised."""
        if not self._done.wait(min(max(timeout_s, 0.0), threading.TIMEOUT_MAX)):
            return False
        if self._error is not None:
            raise self._error
        return True


class Helpers:
    """A pool that grows with the calls in progress; idle threads leave after ten seconds."""

    def __init__(self) -> None:
        self._idle: list[_Helper] = []

    def run(self, call: Callable[[], None]) -> None:
        """Start ``call`` in a helper. It must not raise."""
        try:
            helper = self._idle.pop()
        except IndexError:
            helper = _Helper(self._idle)
            helper.start()
        helper.give(call)

    def submit(self, call: Callable[[], None]) -> Job:
        """Start ``call`` in a helper and return what to wait for."""
        job = Job(call)
        self.run(job.run)
        return job


class _Helper(threading.Thread):
    def __init__(self, idle: list[_Helper]) -> None:
        # A daemon, as a process must be able to end while one waits in the kernel.
        super().__init__(name="sessionstore-lock-helper", daemon=True)
        self._idle_helpers = idle
        self._wake = threading.Lock()
        self._wake.acquire()
        self._task: Callable[[], None] | None = None

    def give(self, call: Callable[[], None]) -> None:
        self._task = call
        self._wake.release()

    def run(self) -> None:
        while True:
            if not self._wake.acquire(timeout=_IDLE_S):
                if self._retire():
                    return
                self._wake.acquire()  # a call is being given to us at this moment
            task, self._task = self._task, None
            if task is not None:
                task()
            self._idle_helpers.append(self)

    def _retire(self) -> bool:
        """Leave the pool; False when a call has just been given to us."""
        try:
            self._idle_helpers.remove(self)
        except ValueError:
            return False
        return True
