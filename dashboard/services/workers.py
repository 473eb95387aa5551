"""Run what may hang in a thread of its own, and wait no longer than a page can afford.

A disk that does not answer blocks one thread here and not the page: the caller gets
:class:`BusyError` at once or after its budget, and every other store is read as always.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from . import own_cost

Result = TypeVar("Result")

_Task = tuple[Future[Any], Callable[[], Any]]


class BusyError(Exception):
    """The work is not done in time; it goes on."""


class Worker:
    """One daemon thread that does one thing after the other. Started by the first call."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._operation = name.partition("-")[0]
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._busy_since: float | None = None

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Queue a call. Its result or exception is in the future.

        It runs with the agent scope and the language of whoever asks.
        """
        future: Future[Result] = Future()
        context = contextvars.copy_context()
        with self._guard:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._tasks.put((future, lambda: context.run(work)))
        return future

    def offer(self, work: Callable[[], Result], *, patience_s: float) -> Future[Result]:
        """Queue a call, unless an earlier one hangs: the queue must not grow meanwhile.

        Raises:
            BusyError: the call that is running has run for longer than ``patience_s``.
        """
        since = self._busy_since
        if since is not None and time.monotonic() - since > patience_s:
            raise BusyError
        return self.submit(work)

    def call(self, work: Callable[[], Result], *, budget_s: float) -> Result:
        """Do it and wait for the result.

        Raises:
            BusyError: not done within the budget, or an earlier call hangs for longer than that.
        """
        future = self.offer(work, patience_s=budget_s)
        try:
            return wait(future, budget_s=budget_s)
        except BusyError:
            future.cancel()  # nobody will look at the answer any more
            raise

    def close(self) -> None:
        """Stop after what is queued; never waits."""
        self._tasks.put(None)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, work = task
            if not future.set_running_or_notify_cancel():
                continue
            self._busy_since = time.monotonic()
            try:
                with own_cost.measured(self._operation):
                    result = work()
                future.set_result(result)
            except BaseException as error:
                future.set_exception(error)
            finally:
                self._busy_since = None


def wait(future: Future[Result], *, budget_s: float) -> Result:
    """Wait for a future that goes on, past the budget, for whoever else waits for it.

    Raises:
        BusyError: not done within the budget.
    """
    try:
        return future.result(timeout=max(0.0, budget_s))
    except TimeoutError:
        if future.done():
            return future.result()  # the work's own TimeoutError, not ours
        raise BusyError from None
