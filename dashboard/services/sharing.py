"""One look for all who ask at about the same time for the same thing.

Live parts of many viewers ask for the same stores with the same filters. What is shared is what a
look found, before anything is rendered; who may see it is part of its name, so that nothing crosses
from one scope, or one language, to another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from django.utils.translation import get_language

from dashboard import scope

from . import pace
from .fleet import Fleet, fleet

Result = TypeVar("Result")

_MOST_KEPT = 64


class Shared(Generic[Result]):
    """Looks of one kind, each kept for ``age_s`` times the pace. Safe to use from many threads."""

    def __init__(self, age_s: float) -> None:
        self._age_s = age_s
        self._guard = threading.Lock()
        self._looks: dict[Hashable, tuple[float, Future[Result]]] = {}
        self._stores: Fleet | None = None

    def get(self, name: Hashable, look: Callable[[], Result]) -> Result:
        """A look of lately with this name by somebody of the same scope and language, else a new
        one. Whoever asks while it goes on waits for it; what it raises, all of them get.
        """
        full = (scope.current(), get_language(), name)
        with self._guard:
            if self._stores is not fleet():  # after a fork, and when the settings change
                self._stores = fleet()
                self._looks.clear()
            now_s, longest_s = time.monotonic(), self._age_s * pace.stretch()
            known = self._looks.get(full)
            is_mine = known is None or now_s - known[0] >= longest_s
            if known is None or is_mine:
                if len(self._looks) >= _MOST_KEPT:
                    self._looks.clear()
                known = self._looks[full] = (now_s, Future())
        if is_mine:
            _settle(known[1], look)
        return known[1].result()


def _settle(future: Future[Result], look: Callable[[], Result]) -> None:
    try:
        future.set_result(look())
    except BaseException as error:
        future.set_exception(error)
