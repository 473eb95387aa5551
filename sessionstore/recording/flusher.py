"""One thread of this process that writes windows, and the moments when it cannot.

The thread sleeps without waking until a reporter has something, then comes every five seconds
until nothing more was found. It is a daemon, so the end of the interpreter is a moment of its
own, and so is that of a child of ``multiprocessing``, which skips ``atexit``.
"""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
import time
from typing import Protocol

WINDOW_S = 5.0


class Flushed(Protocol):
    """What is flushed: a reporter."""

    def rest(self) -> bool: ...

    def close(self) -> None: ...

    def forget_after_fork(self) -> None: ...


class _Flusher:
    """The thread's state. A mailbox, as putting into one is safe even from a finaliser."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.mailbox: queue.SimpleQueue[Flushed] = queue.SimpleQueue()
        self.known: dict[int, Flushed] = {}
        self.guard = threading.Lock()
        self.thread: threading.Thread | None = None

    def start(self) -> None:
        with self.guard:
            if self.thread is not None and self.thread.is_alive():
                return
            _at_end_of_child()
            self.thread = threading.Thread(
                target=_run, args=(self.mailbox,), name="sessionstore-flush", daemon=True
            )
            try:
                self.thread.start()
            except RuntimeError:
                self.thread = None  # no more threads: full lists and the end still flush


_flusher = _Flusher()


def wake(one: Flushed) -> None:
    """See to it that ``one`` is flushed within some seconds."""
    _flusher.known[id(one)] = one
    _flusher.mailbox.put(one)
    if _flusher.thread is None or not _flusher.thread.is_alive():
        _flusher.start()


def _run(mailbox: queue.SimpleQueue[Flushed]) -> None:
    armed: set[Flushed] = set()
    due = 0.0
    while True:
        try:
            one = mailbox.get(timeout=max(due - time.monotonic(), 0.0) if armed else None)
        except queue.Empty:
            armed = {one for one in armed if one.rest()}
            due = time.monotonic() + WINDOW_S
            continue
        if not armed:
            due = time.monotonic() + WINDOW_S
        armed.add(one)


def forget(one: Flushed) -> None:
    """No more of ``one`` at the end, unless it wakes us again."""
    _flusher.known.pop(id(one), None)


def flush_all() -> None:
    """Write everything that this process has, now."""
    for one in list(_flusher.known.values()):
        one.close()


def _at_end_of_child() -> None:
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, flush_all, exitpriority=0)


def _forget_after_fork() -> None:
    known = list(_flusher.known.values())
    _flusher.begin()
    for one in known:
        one.forget_after_fork()


atexit.register(flush_all)
os.register_at_fork(after_in_child=_forget_after_fork)
