"""A thread that says once a second that the runner lives and still wants the job it holds."""

from __future__ import annotations

import logging
import threading
import time

from django.db import DatabaseError, connections

from . import life
from .claiming import RENEW_EVERY_S, Hold
from .progress import Progress

_log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease while an item takes its time, with a database connection of its own.

    It does not stop an item whose job was lost: the item's result is refused when it comes.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._held: tuple[Hold, Progress] | None = None
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._touched_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; waits for the beat that is under way."""
        self._ended.set()
        self._thread.join()

    def keep(self, hold: Hold, progress: Progress) -> None:
        """Keep a job that was just claimed."""
        with self._guard:
            self._held = hold, progress

    def let_go(self) -> None:
        """Keep the job no longer; when this returns, nothing more is written for it."""
        with self._guard:
            self._held = None

    def _run(self) -> None:
        try:
            while not self._ended.wait(RENEW_EVERY_S):
                try:
                    self._beat()
                except DatabaseError as error:
                    # The next beat tries again; the lease runs out if none succeeds.
                    _log.warning("no sign of life could be written: %s", type(error).__name__)
                    connections.close_all()
        finally:
            connections.close_all()

    def _beat(self) -> None:
        with self._guard:
            if self._held is not None:
                hold, progress = self._held
                if not hold.renew(progress.fields):
                    _log.warning("job %d is held by another runner, or ended", hold.job_id)
                    self._held = None
        if time.monotonic() - self._touched_s >= life.TOUCH_EVERY_S:
            life.touch(self._name)
            self._touched_s = time.monotonic()
