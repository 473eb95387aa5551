"""A line per session in front of the worker threads: one thread per session at most.

Plain futures and one lock, no primitives of ``asyncio``: those belong to one event loop, and a
store may be used from several, one after another or at once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import LockTimeoutError

T = TypeVar("T")

WORKERS = 64
"""Sessions that can be changed or waited for at the same time."""


class Call(Generic[T]):
    """One change on its way to a thread. ``work`` gets what is left of ``limit_s`` then."""

    def __init__(
        self, key: str | None, limit_s: float, path: Path, work: Callable[[float], T]
    ) -> None:
        self.key = key
        self.limit_s = limit_s
        self.future: Future[T] = Future()
        self._path = path
        self._work = work
        self._asked_s = time.monotonic()
        self.is_behind = False  # another call was before it in its line
        self.queued_ns = 0  # how long it then waited
        self.on_late: Callable[[LockTimeoutError], None] = lambda error: None
        self._once = threading.Lock()  # taken by whoever settles the future, never given back

    def run(self) -> None:
        """Do the work in this thread, unless the caller was cancelled or told that it is late."""
        waited_s = time.monotonic() - self._asked_s
        left_s = self.limit_s - waited_s
        if self.is_behind:
            self.queued_ns = int(waited_s * 1e9)
        if self.limit_s and left_s <= 0:
            self.give_up()
        elif self._begin():
            try:
                self.future.set_result(self._work(max(left_s, 0.0)))
            except BaseException as error:  # what ``fn`` raises belongs to the awaiting caller
                self.future.set_exception(error)

    def give_up(self) -> None:
        """Tell the caller that its time is over, if the work has not begun."""
        if not self._begin():
            return
        waited_s = time.monotonic() - self._asked_s
        wanted = "the whole store" if self.key is None else f"session {self.key!r}"
        error = LockTimeoutError(
            f"{wanted} had no turn within {self.limit_s:g} s: other calls of this process "
            "are before it",
            waited_s=waited_s,
            queued_s=waited_s,
            key=self.key,
            path=self._path,
            hint="nothing was written; try again, or look at the held locks of this store",
        )
        self.on_late(error)
        self.future.set_exception(error)

    def _begin(self) -> bool:
        return self._once.acquire(blocking=False) and self.future.set_running_or_notify_cancel()


class Lines:
    """Gives each session's calls a thread one after another; other sessions have their own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="sessionstore-change")
        self._guard = threading.Lock()
        self._lines: dict[str | None, deque[Call[Any]]] = {}

    def add(self, call: Call[Any]) -> None:
        """Let ``call`` wait for its turn. One that may not wait is given up if it would."""
        with self._guard:
            line = self._lines.get(call.key)
            # The thread of a call that is answered may not have left the line yet.
            is_busy = any(not other.future.done() for other in line or ())
            if not call.limit_s and (is_busy or len(self._lines) >= WORKERS):
                call.give_up()
            elif line:
                call.is_behind = is_busy
                line.append(call)
            else:
                self._threads.submit(self._work, call.key)
                self._lines[call.key] = deque([call])

    def _work(self, key: str | None) -> None:
        """Run the first call of a line, then let the next one have a thread."""
        while True:
            with self._guard:
                line = self._lines[key]
            line[0].run()
            with self._guard:
                line.popleft()
                if not line:
                    del self._lines[key]
                    return
            try:
                self._threads.submit(self._work, key)
                return
            except RuntimeError:
                continue  # closing: the rest of the line is finished in this thread

    def shutdown(self) -> None:
        """Take no more calls; returns when all that wait are done."""
        self._threads.shutdown()
