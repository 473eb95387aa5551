"""The runner: takes one job after the other until it is told to stop.

Any number of runners may be at work, on one machine or, with PostgreSQL, on several. One that is
told to stop finishes the item at hand and gives the job back; one that is killed loses its lease,
and the job is taken over within seconds.
"""

from __future__ import annotations

import logging
import threading

from django.db import DatabaseError, close_old_connections, connections

from dashboard.services import backup_schedules, tidy_schedules
from dashboard.services.recurring import Looking

from . import life
from .claiming import LeaseLostError, claim
from .heartbeat import Heartbeat
from .housekeeping import Housekeeping
from .progress import Progress
from .running import run_job

_log = logging.getLogger(__name__)

POLL_S, LONGEST_POLL_S = 0.2, 1.0
_SLOWER = 1.5
_AFTER_FAILURE_S = 2.0


class Runner:
    """One runner process. ``stop`` may be called from a signal handler."""

    def __init__(self) -> None:
        self.name = life.new_name()
        self._heartbeat = Heartbeat(self.name)
        self._housekeeping = Housekeeping()
        self._recurring = (Looking(backup_schedules.run_due), Looking(tidy_schedules.run_due))
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask to end after the item at hand."""
        self._stopping.set()

    def run(self, *, once: bool = False) -> None:
        """Run jobs until told to stop, or with ``once`` until none is left that may run now."""
        life.begin(self.name)
        self._heartbeat.start()
        try:
            self._run(once=once)
        finally:
            self._heartbeat.stop()
            life.finish(self.name)

    def _run(self, *, once: bool) -> None:
        pause_s = POLL_S
        while not self._stopping.is_set():
            close_old_connections()
            try:
                worked = self._step()
            except DatabaseError as error:
                if once:
                    raise
                _log.warning("the database did not answer: %s", type(error).__name__)
                connections.close_all()
                worked, pause_s = False, _AFTER_FAILURE_S
            if worked:
                pause_s = POLL_S
            elif once:
                return
            else:
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * _SLOWER, LONGEST_POLL_S)

    def _step(self) -> bool:
        """Run one job as far as it goes now; False when there is none."""
        self._housekeeping.do_what_is_due()
        for looking in self._recurring:
            looking.do_what_is_due()
        hold = claim(self.name)
        if hold is None:
            return False
        progress = Progress()
        self._heartbeat.keep(hold, progress)
        try:
            run_job(hold, progress, stopping=self._stopping.is_set)
        except LeaseLostError as error:
            _log.warning("%s was taken over or ended meanwhile; nothing more is written", error)
        finally:
            self._heartbeat.let_go()
        return True
