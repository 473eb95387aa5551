"""What a runner does beside its jobs: evaluate the checks, and send the alerts that are due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

from .alert_delivering import deliver_due
from .check_evaluating import Evaluations

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
_END_S = 15.0


class Watching:
    """Two threads, since a target that does not answer must not keep the checks waiting."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._evaluations = Evaluations()
        self._threads = [
            threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            for name, work in (("checks", self._evaluate), ("alerts", self._deliver))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after what is under way; what is left is done by the next runner."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_END_S)

    def once(self) -> None:
        """Do what is due now, in this thread: for runners that end by themselves."""
        self._evaluate()
        self._deliver()

    def _evaluate(self) -> None:
        self._evaluations.do_what_is_due()

    def _deliver(self) -> None:
        deliver_due()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            while not self._stopping.wait(LOOK_EVERY_S):
                close_old_connections()
                try:
                    work()
                except Exception as error:  # why: whoever watches must not fall silent for good
                    _log.error("checks or alerts had to wait: %s", type(error).__name__)
                    connections.close_all()
        finally:
            connections.close_all()
