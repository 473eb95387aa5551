"""The locks of stores as pages look at them: one look for all who ask at about the same time.

A look costs a few system calls per live table and lock; what is shared keeps ten open pages from
costing more than one. Every look is counted, so that a page can say how often it sampled.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.utils.translation import gettext as _

from dashboard import scope
from sessionstore.errors import SessionStoreError
from sessionstore.locks import HeldLock, view_locks
from sessionstore.paths import StorePaths

from .fleet import LIVE_AGE_S, Scan, fleet, page_budget_s
from .problems import Problem, problem_of, still_reading
from .readers import Reader
from .workers import BusyError, wait

_REST, _LONGEST_AGE_S = 50, 10.0
_MOST_KEPT, _MOST_SCOPES = 7_200, 64


@dataclass(frozen=True, slots=True)
class StoreLook:
    """What one look at one store found, when, and how long it took.

    ``unread`` transcript locks are there and were not judged; ``is_cut``: not all names of the
    directory were listed.
    """

    at_ms: int
    took_s: float
    locks: tuple[HeldLock, ...]
    unread: int
    is_cut: bool


Answer = StoreLook | Problem

_guard = threading.Lock()
_begun: WeakKeyDictionary[Reader, tuple[float, Future[Answer] | None]] = WeakKeyDictionary()
_times: WeakKeyDictionary[Reader, deque[int]] = WeakKeyDictionary()
_scans: dict[scope.Agents, tuple[float, str, Scan]] = {}


def stores_now(*, max_age_s: float = 0.0) -> Scan:
    """The stores in scope, without reading what is in them. Never raises."""
    agents, now_s, place = scope.current(), time.monotonic(), fleet().state_dir_text
    with _guard:
        known = _scans.get(agents)
        if known is not None and known[1] == place and now_s - known[0] < max_age_s:
            return known[2]
    scan = fleet().scan()
    with _guard:
        if len(_scans) >= _MOST_SCOPES:
            _scans.clear()
        _scans[agents] = now_s, place, scan
    return scan


def look_at_locks(readers: Sequence[Reader], *, is_live: bool = False) -> dict[str, Answer]:
    """The locks of each store by its id, within the page's budget.

    A live part shares a look of the last second; of a store that is slow to look at, one of up
    to ten seconds. Whoever opens a page gets a look that began after they asked.
    """
    deadline = time.monotonic() + page_budget_s()
    asked = [(reader, _ask(reader, is_live=is_live)) for reader in readers]
    return {
        reader.id: _answer(reader, future, deadline - time.monotonic()) for reader, future in asked
    }


def looks_since(readers: Sequence[Reader], since_ms: int) -> int:
    """How often this process has looked at the most looked at of these stores since then."""
    with _guard:
        kept = [tuple(_times.get(reader, ())) for reader in readers]
    return max((sum(at_ms >= since_ms for at_ms in times) for times in kept), default=0)


def _ask(reader: Reader, *, is_live: bool) -> Future[Answer] | None:
    with _guard:
        known, now_s = _begun.get(reader), time.monotonic()
        if known is not None and known[1] is not None:
            future = known[1]
            is_waiting = not future.running() and not future.done()
            if is_waiting or (is_live and now_s - known[0] < _age_s(future)):
                return future
        future_or_none = reader.offer(
            lambda paths: _look(reader, paths), patience_s=page_budget_s()
        )
        _begun[reader] = now_s, future_or_none
        return future_or_none


def _age_s(future: Future[Answer]) -> float:
    """For how long a look is good enough for a live part: watching costs at most 2 % of a core."""
    found = future.result() if future.done() and future.exception() is None else None
    took_s = found.took_s if isinstance(found, StoreLook) else 0.0
    return max(LIVE_AGE_S, min(_LONGEST_AGE_S, _REST * took_s))


def _answer(reader: Reader, future: Future[Answer] | None, budget_s: float) -> Answer:
    if future is None:
        return still_reading(reader.name)
    try:
        return wait(future, budget_s=budget_s)
    except BusyError:  # goes on, for whoever else waits for it
        return still_reading(reader.name)


def _look(reader: Reader, paths: StorePaths) -> Answer:
    """Look at the disk; runs in the reader's thread. A failure is an answer, which is shared."""
    began_s = time.monotonic()
    try:
        view = view_locks(paths.sidecar, store_path=paths.store_path, transcripts=True)
    except SessionStoreError as error:
        return problem_of(error)
    except OSError as error:
        return Problem(_("The locks could not be looked at"), error.strerror or "", "", 503)
    at_ms = time.time_ns() // 1_000_000
    with _guard:
        _times.setdefault(reader, deque(maxlen=_MOST_KEPT)).append(at_ms)
    took_s = time.monotonic() - began_s
    return StoreLook(at_ms, took_s, view.held, view.unread, view.is_cut)
