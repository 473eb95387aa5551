"""Comparisons of a store's forms, kept for a moment: pages and twins of one look share it.

Each store compares in a thread of its own, so that a slow disk keeps nobody else waiting; a page
that does not get its answer in time gets it when it is loaded again.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessionstore.comparing import Comparison, compare_layouts
from sessionstore.errors import SessionStoreError

from .problems import Problem, problem_of
from .readers import Reader
from .workers import BusyError, Worker, wait

SHORTEST_S, LONGEST_S = 3.0, 120.0
_REST = 20
_MOST_STORES = 16


@dataclass(slots=True)
class _Kept:
    worker: Worker
    asked: Future[tuple[Comparison, int]]
    ended_s: float | None = None


_kept: dict[str, _Kept] = {}
_guard = threading.Lock()


def compared_now(reader: Reader, *, budget_s: float) -> tuple[Comparison, int] | Problem:
    """The comparison and when it was made (epoch ms), or why there is none yet.

    One that is done is shown for 3 s, or for twenty times as long as it took, at most two minutes.
    """
    kept = _current(reader)
    try:
        found = wait(kept.asked, budget_s=budget_s)
    except BusyError:
        return Problem(
            _("Still comparing"),
            _("%s has many sessions, or its disk is slow.") % reader.name,
            _("Nothing is lost. Load the page again in a moment."),
            503,
        )
    except SessionStoreError as error:
        _forget(reader.id)
        return problem_of(error)
    except OSError as error:
        _forget(reader.id)
        return Problem(_("The store could not be read"), error.strerror or "", "", 503)
    if kept.ended_s is None:
        kept.ended_s = time.monotonic()
    return found


def _current(reader: Reader) -> _Kept:
    """The comparison that may still be shown, or that is being made; else a new one."""
    with _guard:
        kept = _kept.get(reader.id)
        if kept is not None and _may_be_shown(kept):
            return kept
        worker = kept.worker if kept is not None else Worker(f"layouts-{reader.id}")
        paths = reader.paths
        asked = worker.submit(lambda: (compare_layouts(paths), time.time_ns() // 1_000_000))
        _kept.pop(reader.id, None)
        while len(_kept) >= _MOST_STORES:
            _kept.pop(next(iter(_kept))).worker.close()
        made = _kept[reader.id] = _Kept(worker, asked)
        return made


def _may_be_shown(kept: _Kept) -> bool:
    if not kept.asked.done():
        return True
    if kept.ended_s is None:
        return True  # made for a page that did not wait: nobody has seen it yet
    if kept.asked.exception() is not None:
        return False
    took_s = kept.asked.result()[0].took_s
    return time.monotonic() - kept.ended_s < max(SHORTEST_S, min(LONGEST_S, _REST * took_s))


def _forget(store_id: str) -> None:
    with _guard:
        kept = _kept.pop(store_id, None)
    if kept is not None:
        kept.worker.close()
