"""Add up what writers report, every few seconds, in a process that is no web worker.

A scrape changes nothing and must give the same totals from every worker, so adding up is not its
work. The job runners do it (one of them, by a lock; another takes over when it dies), and where
there is none, as in a read-only console, ``manage.py collect``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from django.conf import settings
from django.db import DatabaseError, connections

from dashboard import scope
from sessionstore.errors import SessionStoreError
from sessionstore.files import status_of
from sessionstore.locks.alone import claim
from sessionstore.metrics import History, Process, Window

from . import metrics_console, own_cost
from .fleet import fleet
from .history import look_at
from .metrics_agents import SAMPLED, chosen, sampled
from .metrics_totals import (
    Totals,
    add,
    folder,
    forget_old_processes,
    process_name,
    read_totals,
    write,
    write_totals,
)
from .problems import Problem
from .readers import Reader

_log = logging.getLogger(__name__)

EVERY_S = 5.0
_LATE_MS = 15 * 60_000
_EVERYTHING_EVERY_S = 3600.0
_END_OF_TIME = 2**62
_FOUND_S = 30.0
_END_S = 10.0


class Follower:
    """Looks every few seconds until told to stop. Does nothing while there is no token."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._release: Callable[[], None] | None = None
        self._everything_s = -_EVERYTHING_EVERY_S

    def start(self) -> None:
        """Begin to look."""
        if settings.METRICS_TOKEN:
            self._thread.start()

    def stop(self) -> None:
        """End; what was reported meanwhile is added by whoever looks next."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_END_S)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            finally:
                connections.close_all()  # this thread's alone
            self._stopping.wait(EVERY_S)
        self._let_go()

    def look(self) -> bool:
        """Add up what is new, unless another process does; whether this one did."""
        try:
            if self._release is None:
                self._release = claim(folder(), "collector")
            if self._release is None:
                return False
            with scope.limited_to(None):
                self._look()
        except (SessionStoreError, OSError) as error:
            _log.warning("metrics could not be added up: %s", type(error).__name__)
            return False
        return True

    def finish(self) -> None:
        """Look once, for a process that ends then; nothing without a token."""
        if settings.METRICS_TOKEN:
            self.look()
        self._let_go()

    def _let_go(self) -> None:
        if self._release is not None:
            self._release()
            self._release = None

    def _look(self) -> None:
        now_s = time.monotonic()
        is_thorough = now_s - self._everything_s >= _EVERYTHING_EVERY_S
        readers, _omitted = chosen(fleet().scan(budget_s=_FOUND_S).readers)
        times = add_up_stores(readers, thorough=is_thorough)
        write(SAMPLED, times)
        if is_thorough and len(times) == len(readers):
            self._everything_s = now_s
        try:
            metrics_console.add_up()
        except DatabaseError as error:
            _log.warning("the console's own metrics failed: %s", type(error).__name__)


def add_up_stores(readers: Sequence[Reader], *, thorough: bool) -> dict[str, int]:
    """Add what is new in each store; when each was read (epoch ms), those not read now as before.

    With ``thorough`` old windows are looked at, too: processes may report late.
    """
    kept = {reader.id: read_totals(reader.id) or _begun() for reader in readers}
    since_ms = {
        reader.paths.store_path: 0 if thorough else max(0, kept[reader.id].newest_ms - _LATE_MS)
        for reader in readers
    }

    def newer(history: History) -> list[Window]:
        return history.between(since_ms[history.paths.store_path], _END_OF_TIME)

    at_ms = time.time_ns() // 1_000_000
    found = look_at(readers, newer)
    own = frozenset(own_cost.process_files())
    before = sampled()
    times: dict[str, int] = {}
    for reader in readers:
        windows = found[reader.id]
        if isinstance(windows, Problem):
            if reader.id in before:
                times[reader.id] = before[reader.id]
            continue
        _add(reader, kept[reader.id], windows, at_ms, own)
        times[reader.id] = at_ms
    return times


def _begun() -> Totals:
    return Totals(since_ms=time.time_ns() // 1_000_000)


def _add(
    reader: Reader, totals: Totals, windows: Sequence[Window], at_ms: int, own: frozenset[str]
) -> None:
    def is_own(process: Process) -> bool:
        return process_name(process) in own

    is_new = not totals.groups and not totals.marks
    layout = _layout(reader, windows)
    if add(totals, windows, at_ms=at_ms, layout=layout, is_own=is_own) or is_new:
        forget_old_processes(totals, at_ms)
        write_totals(reader.id, totals)


def _layout(reader: Reader, windows: Sequence[Window]) -> str:
    """The layout that reads of now are counted for: that of the newest write, else the store's."""
    for window in reversed(windows):
        for group in window.groups:
            return group.labels.layout
    return "legacy" if status_of(reader.paths.directory) is None else "directory"
