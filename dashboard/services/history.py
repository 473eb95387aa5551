"""The reported history of stores, for pages: read in each store's own thread, kept between pages.

Pages ask :func:`totals_of` and :func:`steps_of` for many stores at once, within the page's budget.
A store that does not answer in time comes back as a problem, never as zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sessionstore.metrics import History, Step, Window
from sessionstore.paths import StorePaths

from .fleet import page_budget_s
from .problems import Problem
from .readers import Reader, read_all

Result = TypeVar("Result")


def totals_of(readers: Sequence[Reader], start_ms: int, end_ms: int) -> dict[str, Window | Problem]:
    """What each store's writers reported between two times, added up, by store id."""
    return look_at(readers, lambda history: history.total(start_ms, end_ms))


def steps_of(
    readers: Sequence[Reader], start_ms: int, end_ms: int, step_ms: int
) -> dict[str, list[Step] | Problem]:
    """The same in equal steps, for charts; steps in which nobody reported are gaps."""
    return look_at(readers, lambda history: history.steps(start_ms, end_ms, step_ms))


def look_at(
    readers: Sequence[Reader],
    look: Callable[[History], Result],
    *,
    budget_s: float | None = None,
) -> dict[str, Result | Problem]:
    """Refresh each store's history and look at it, in the store's thread, within one budget.

    That is the page's, or ``budget_s`` where the page has spent some of it already.
    """
    histories = {reader.paths.store_path: reader.history for reader in readers}

    def work(paths: StorePaths) -> Result:
        history = histories[paths.store_path]
        history.refresh()
        return look(history)

    return read_all(readers, work, budget_s=page_budget_s() if budget_s is None else budget_s)
